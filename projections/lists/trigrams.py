"""Pieces of three characters, by which a part of a name is found through an index.

PostgreSQL's own `pg_trgm` is an extension that the embedded server does not have; an array and a
GIN index need none.
"""


def trigrams(folded: str) -> list[str]:
    """Each piece once, sorted. What contains `folded` has all of them; below three characters
    there are none, which is as true."""
    return sorted({folded[i : i + 3] for i in range(len(folded) - 2)})

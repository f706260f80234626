"""Words that no other test writes, and the files of the database that have them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests.support.database_contents import spellings


def a_name() -> str:
    """One that no other test writes into the same files."""
    return "Q" + "".join(secrets.choice("bcdfghjkmnpqrstvwxz") for _ in range(11))


def needles(word: str) -> set[bytes]:
    """The word in whatever spelling, its beginning and its end."""
    parts = [part for whole in (word, word.lower()) for part in (whole[:6], whole[-6:])]
    return {*spellings(word), word.encode("utf-16-le"), *(part.encode() for part in parts)}


def files_with(folder: Path, words: list[str]) -> set[str]:
    looked_for = set().union(*map(needles, words))
    return {
        str(path.relative_to(folder))
        for path in _files(folder)
        if any(needle in content for content in [_read(path)] for needle in looked_for)
    }


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # PostgreSQL has removed it meanwhile
        return b""


def write_everything(database_url: str) -> None:
    """Statistics, what waits to be put into the index, and whatever is in memory alone."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")

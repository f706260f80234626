"""Finding people by the beginnings of words, in a table that holds none of their words.

Each beginning of a word of the name and of the email has a key: a hash under a secret of the
installation. Who reads the files of the database learns no word from it, and an index that keeps
the keys of rows which are gone keeps nothing of a person (decision 0040).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import msgspec

from domain.privacy.keys import InstallationKeys
from domain.visitors import Person
from projections.lists.search_text import searchable

LONGEST = 16
"""Characters of a word that count."""

INDEXED = (1, 3, 5, 8, 13)
"""Lengths of the beginnings that an index finds: it would cost a registration more to have all of
them there. The other ones are looked for among the rows that it finds."""

WORDS_REMEMBERED = 20_000
"""Words whose keys are kept in memory: names and domains come again and again."""

_SEPARATORS = str.maketrans(dict.fromkeys("-\N{HYPHEN}\N{EN DASH}\N{EM DASH}.,'()@", " "))


class Keys(msgspec.Struct, frozen=True):
    indexed: Sequence[int]
    """Of the mailbox, and of beginnings of one of these lengths."""
    others: Sequence[int]


class WordKeys:
    """Those of one installation, derived from its secret."""

    def __init__(self, identity: bytes) -> None:
        self._secret = blake2b(key=identity, digest_size=32, person=b"words").digest()
        self._of_word = lru_cache(WORDS_REMEMBERED)(self._beginnings)

    def of_person(self, person: Person) -> Keys:
        """The keys that the person's row is found by."""
        name, email = searchable(person.full_name), searchable(person.email)
        indexed, others = {self._key(_mailbox(email))}, set[int]()
        for word in {*_words(name), *_words(email)}:
            keys = self._of_word(word)
            indexed.update(keys.indexed)
            others.update(keys.others)
        return Keys(sorted(indexed), sorted(others))

    def asked(self, text: str, most_words: int) -> Keys:
        """The keys that a row must have, so that each word of the text is the beginning of one of
        its words; what has an @ after it is all of its email up to there."""
        indexed, others = set[int](), set[int]()
        for asked in searchable(text).split()[:most_words]:
            if mailbox := _mailbox(asked):
                indexed.add(self._key(mailbox))
            for word in _words(asked):
                longest = max(length for length in INDEXED if length <= len(word))
                indexed.add(self._key(word[:longest]))
                others.add(self._key(word[:LONGEST]))
        return Keys(list(indexed), list(others - indexed))

    def _beginnings(self, word: str) -> Keys:
        lengths = range(1, min(len(word), LONGEST) + 1)
        return Keys(
            [self._key(word[:length]) for length in lengths if length in INDEXED],
            [self._key(word[:length]) for length in lengths if length not in INDEXED],
        )

    def _key(self, beginning: str) -> int:
        digest = blake2b(beginning.encode(), key=self._secret, digest_size=4).digest()
        return int.from_bytes(digest, signed=True)


@lru_cache
def _word_keys(identity: bytes) -> WordKeys:
    return WordKeys(identity)


def word_keys(keys: InstallationKeys) -> WordKeys:
    return _word_keys(keys.identity)


def _words(text: str) -> list[str]:
    return text.translate(_SEPARATORS).split()


def _mailbox(email: str) -> str:
    """The whole of what comes before the @, which marks it; "" without that."""
    mailbox, at, _ = email.rpartition("@")
    return mailbox and mailbox + at

"""Search keys: they find people by prefixes of words, in a table that does not hold the words.

Each prefix of a word in the name and the email has a key, a hash with a secret of the installation.
The files of the database reveal no words, and an index that still has the keys of deleted rows
reveals nothing about a person (decision 0040).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import msgspec

from domain.privacy.keys import InstallationKeys
from domain.visitors import Person
from projections.lists.search_text import searchable

MAX_PREFIX_LENGTH = 16
"""Characters. The rest of a longer word is ignored."""

INDEXED_LENGTHS = (1, 3, 5, 8, 13)
"""Lengths of the prefixes that are in the index: having all of them there would make registrations
slower. Prefixes of other lengths are compared in the rows that the index finds."""

CACHED_WORDS = 20_000
"""Words whose keys are kept in memory: the same names and domains occur often."""

_SEPARATORS = str.maketrans(dict.fromkeys("-\N{HYPHEN}\N{EN DASH}\N{EM DASH}.,'()@", " "))


class SearchKeys(msgspec.Struct, frozen=True):
    indexed: Sequence[int]
    """Keys of the mailbox, and of prefixes with one of the `INDEXED_LENGTHS`."""
    others: Sequence[int]
    """Keys of prefixes with other lengths."""


class WordKeys:
    """Makes the search keys of one installation, with its secret."""

    def __init__(self, identity: bytes) -> None:
        self._secret = blake2b(key=identity, digest_size=32, person=b"words").digest()
        self._of_word = lru_cache(CACHED_WORDS)(self._beginnings)

    def of_person(self, person: Person) -> SearchKeys:
        """All keys that find the person's row."""
        name, email = searchable(person.full_name), searchable(person.email)
        indexed, others = {self._key(_mailbox(email))}, set[int]()
        for word in {*_words(name), *_words(email)}:
            keys = self._of_word(word)
            indexed.update(keys.indexed)
            others.update(keys.others)
        return SearchKeys(sorted(indexed), sorted(others))

    def for_search(self, text: str, max_words: int) -> SearchKeys:
        """The keys that a row must have for each word of the text to be a prefix of one of its
        words. Text before an @ must be the whole mailbox of the email."""
        indexed, others = set[int](), set[int]()
        for wanted in searchable(text).split()[:max_words]:
            if mailbox := _mailbox(wanted):
                indexed.add(self._key(mailbox))
            for word in _words(wanted):
                longest = max(length for length in INDEXED_LENGTHS if length <= len(word))
                indexed.add(self._key(word[:longest]))
                others.add(self._key(word[:MAX_PREFIX_LENGTH]))
        return SearchKeys(list(indexed), list(others - indexed))

    def _beginnings(self, word: str) -> SearchKeys:
        lengths = range(1, min(len(word), MAX_PREFIX_LENGTH) + 1)
        return SearchKeys(
            [self._key(word[:length]) for length in lengths if length in INDEXED_LENGTHS],
            [self._key(word[:length]) for length in lengths if length not in INDEXED_LENGTHS],
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
    """The part of the address up to and including the last @; "" without one."""
    mailbox, at, _ = email.rpartition("@")
    return mailbox and mailbox + at

"""The Merkle tree of RFC 9162, section 2.1, with SHA-256: roots and inclusion proofs of leaf
hashes.

A tree of any size consists of perfect subtrees, its peaks, from the largest on the left to the
smallest on the right: one for each set bit of its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

EMPTY_ROOT = sha256().digest()

HASH_BYTES = 32


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Row(NamedTuple):
    """Neighbouring nodes of one level; node `n` of level `l` is over leaves n * 2**l and on."""

    level: int
    first: int
    hashes: list[bytes]


class Frontier:
    """The part of a tree that is needed to add leaves: the hashes of its peaks."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: dict[int, bytes] = {}

    @classmethod
    def of(cls, size: int, peak_hashes: Sequence[bytes]) -> Frontier:
        """The frontier of a tree with these peaks, in the order of `peaks(0, size)`."""
        frontier = cls()
        frontier.size = size
        levels = [level for level, _ in peaks(0, size)]
        frontier._peaks = dict(zip(levels, peak_hashes, strict=True))
        return frontier

    def copy(self) -> Frontier:
        copy = Frontier()
        copy.size, copy._peaks = self.size, dict(self._peaks)
        return copy

    def extend(self, leaf_hashes: Iterable[bytes]) -> list[Row]:
        """Add leaves on the right. Returns the new nodes, from the leaves up."""
        rows = []
        level, first, hashes = 0, self.size, list(leaf_hashes)
        self.size += len(hashes)
        while hashes:
            rows.append(Row(level, first, hashes))
            peak = self._peaks.pop(level, None)
            paired = hashes if peak is None else [peak, *hashes]
            if len(paired) % 2:
                self._peaks[level] = paired[-1]
            pairs = zip(paired[::2], paired[1::2], strict=False)
            hashes = [node_hash(left, right) for left, right in pairs]
            level, first = level + 1, first // 2
        return rows

    @property
    def root(self) -> bytes:
        return root_of([self._peaks[level] for level in sorted(self._peaks, reverse=True)])


def root_of(peak_hashes: Sequence[bytes]) -> bytes:
    """The root of these peaks, given from the largest to the smallest."""
    if not peak_hashes:
        return EMPTY_ROOT
    *others, root = peak_hashes
    for peak in reversed(others):
        root = node_hash(peak, root)
    return root


def peaks(start: int, end: int) -> list[tuple[int, int]]:
    """Level and number of the perfect subtrees that make up the leaves from `start` to before
    `end`, where a subtree of the next larger power of two could start."""
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def siblings(index: int, size: int) -> list[tuple[int, int]]:
    """The neighbouring parts of the tree on the path from a leaf to the root, from the leaf up:
    start and end of each. Their roots are the inclusion proof of the leaf."""
    found = []
    start, end = 0, size
    while end - start > 1:
        middle = start + (1 << ((end - start - 1).bit_length() - 1))
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def root_by_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root computed from an inclusion proof (RFC 9162, section 2.1.3.2); None when the path has
    the wrong length."""
    sides = siblings(index, size) if 0 <= index < size else None
    if sides is None or len(sides) != len(path):
        return None
    root = leaf
    for (start, _), sibling in zip(sides, path, strict=True):
        root = node_hash(root, sibling) if start > index else node_hash(sibling, root)
    return root

"""Verification: compares all of history with the seals, and the seals with the signing key and with
pinned checkpoints.

It needs bounded memory for any length of history. It continues after a finding, to count all of
them; it stops only at a seal that is not genuine, because nothing after it can be compared.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from psycopg import AsyncConnection, DataError

from domain.seals.checkpoints import Checkpoint, before_all, is_signed_by
from domain.seals.lag import SealLag, seal_lag
from domain.seals.leaves import Leaf, read_stored
from domain.seals.merkle import Frontier
from domain.seals.seal import Seal, newest_checkpoint, seals_from

LEAVES_PER_READ = 4096

BEFORE_HISTORY = -(2**63)
"""Positions below 1, where an attacker could have inserted an event."""

Kind = Literal["changed", "removed", "inserted", "seal", "checkpoint"]


class Finding(msgspec.Struct, frozen=True):
    """A difference; `position` is the lowest to which it can apply."""

    position: int
    kind: Kind
    what: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    genuine: bool
    first: Finding | None
    """The finding with the lowest position."""
    counts: dict[Kind, int]
    """Number of findings of each kind."""
    events: int
    """Number of events that are equal to their seals."""
    checkpoint: Checkpoint
    """The newest checkpoint that was compared."""
    unsealed: SealLag
    """Events after it."""


Report = Callable[[int, int], None]
"""Called with the number of events compared so far, and the total."""


async def verify(
    connection: AsyncConnection[Any],
    key: Ed25519PublicKey,
    pinned: Sequence[Checkpoint] = (),
    report: Report = lambda done, total: None,
) -> Verdict:
    """Compare all of history with its seals, and the seals with the pinned checkpoints."""
    verification = _Verification(connection, key, pinned)
    await verification.run(report)
    return await verification.verdict()


class _Verification:
    def __init__(
        self, connection: AsyncConnection[Any], key: Ed25519PublicKey, pinned: Sequence[Checkpoint]
    ) -> None:
        self._connection = connection
        self._key = key
        self._pinned = sorted(pinned, key=lambda checkpoint: checkpoint.tree_size, reverse=True)
        self._pinned_up_to = 0  # the last position that a pinned checkpoint confirms
        self._tree = Frontier()
        self._reached = before_all(key)
        self._read_up_to = BEFORE_HISTORY
        self._events = 0
        self._first: Finding | None = None
        self._counts = Counter[Kind]()

    async def run(self, report: Report) -> None:
        try:
            newest = await newest_checkpoint(self._connection, self._key)
            while seals := await self._next_seals():
                rooted = self._rooted(self._linked(seals))
                if rooted:
                    await self._compare([leaf for seal in rooted for leaf in seal.leaves])
                    self._reached = rooted[-1].checkpoint
                if len(rooted) < len(seals):
                    return
                report(self._reached.tree_size, max(newest.tree_size, self._reached.tree_size))
        except DataError:  # for example an infinite timestamp
            self._found(self._reached.last_position + 1, "seal", "a seal cannot be read")
            return
        await self._check_what_is_pinned_after_the_seals()

    async def verdict(self) -> Verdict:
        return Verdict(
            genuine=self._first is None,
            first=self._first,
            counts=dict(self._counts),
            events=self._events,
            checkpoint=self._reached,
            unsealed=await seal_lag(self._connection),
        )

    def _found(self, position: int, kind: Kind, what: str) -> None:
        self._counts[kind] += 1
        if self._first is None or position < self._first.position:
            self._first = Finding(position, kind, what)

    async def _next_seals(self) -> list[Seal]:
        start = self._reached.tree_size
        return await seals_from(self._connection, self._key, start, leaves=LEAVES_PER_READ)

    def _linked(self, seals: Sequence[Seal]) -> Sequence[Seal]:
        """The seals before the first that is misplaced or not signed by this installation."""
        linked = 0
        before = self._reached
        for seal in seals:
            if trouble := _misplaced(seal, before):
                break
            linked, before = linked + 1, seal.checkpoint
        # Each contains the digest of the one before, with its signature: so the last signature
        # confirms all of them.
        if linked and not is_signed_by(before, self._key):
            signed = [is_signed_by(seal.checkpoint, self._key) for seal in seals[:linked]]
            linked, trouble = signed.index(False), "the seal is not signed by this installation"
        if linked < len(seals):
            before = seals[linked - 1].checkpoint if linked else self._reached
            self._found(before.last_position + 1, "seal", trouble)
        return seals[:linked]

    def _rooted(self, seals: Sequence[Seal]) -> Sequence[Seal]:
        """The seals before the first whose leaves do not lead to the signed root."""
        for number, seal in enumerate(seals):
            self._grow(seal.leaves)
            if self._tree.root != seal.checkpoint.root_hash:
                what = "the sealed hashes are not those that were signed"
                self._found(seal.leaves[0][0], "seal", what)
                return seals[:number]
        return seals

    def _grow(self, leaves: Sequence[Leaf]) -> None:
        """Add the leaves to the tree, and compare its root with pinned checkpoints."""
        hashes = [leaf for _, leaf in leaves]
        while self._pinned and self._pinned[-1].tree_size <= self._tree.size + len(hashes):
            pinned = self._pinned.pop()
            missing = pinned.tree_size - self._tree.size
            self._tree.extend(hashes[:missing])
            hashes = hashes[missing:]
            if self._tree.root == pinned.root_hash:
                self._pinned_up_to = pinned.last_position
            else:
                what = f"the events up to position {pinned.last_position} are not those pinned"
                self._found(self._pinned_up_to + 1, "checkpoint", what)
        self._tree.extend(hashes)

    async def _compare(self, leaves: Sequence[Leaf]) -> None:
        """Read the events of these leaves from history, and compare each of them."""
        end = leaves[-1][0]
        limit = len(leaves) + 1
        more = True
        while more:
            events = await read_stored(
                self._connection, after=self._read_up_to, until=end, limit=limit
            )
            found = [event.leaf() for event in events]
            more = len(found) == limit
            self._read_up_to = found[-1][0] if more else end
            due = bisect_right(leaves, self._read_up_to, key=itemgetter(0))
            self._match(leaves[:due], found)
            leaves = leaves[due:]

    def _match(self, sealed: Sequence[Leaf], found: Sequence[Leaf]) -> None:
        if sealed == found:
            self._events += len(found)
            return
        hash_sealed, hash_found = dict(sealed), dict(found)
        for position in sorted(hash_sealed.keys() | hash_found.keys()):
            if position not in hash_found:
                self._found(position, "removed", "an event was removed")
            elif position not in hash_sealed:
                self._found(position, "inserted", "an event was inserted")
            elif hash_found[position] != hash_sealed[position]:
                self._found(position, "changed", "the event is not the one that was sealed")
            else:
                self._events += 1

    async def _check_what_is_pinned_after_the_seals(self) -> None:
        """Seals may be lost, events may not: compare pinned checkpoints with events that have no
        seal."""
        while self._pinned and (
            events := await read_stored(
                self._connection, after=self._read_up_to, limit=LEAVES_PER_READ
            )
        ):
            self._grow([event.leaf() for event in events])
            self._read_up_to = events[-1].position
        for pinned in self._pinned:
            what = f"history has {self._tree.size} events, and {pinned.tree_size} were pinned"
            self._found(max(self._read_up_to, 0) + 1, "checkpoint", what)


def _misplaced(seal: Seal, before: Checkpoint) -> str:
    """Why the seal cannot follow the checkpoint; empty when it can."""
    checkpoint = seal.checkpoint
    if seal.start != before.tree_size:
        return "a seal was removed"
    positions = [before.last_position, *(position for position, _ in seal.leaves)]
    whole = (
        len(seal.leaves) == checkpoint.tree_size - seal.start > 0
        and positions[-1] == checkpoint.last_position
        and all(earlier < later for earlier, later in pairwise(positions))
    )
    if not whole:
        return "the seal is not whole"
    if checkpoint.previous != before.digest():
        return "the seal does not follow the one before it"
    return ""

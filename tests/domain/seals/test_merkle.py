"""The tree against the definitions of RFC 9162, section 2.1, copied from there."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from domain.seals.merkle import (
    EMPTY_ROOT,
    Frontier,
    leaf_hash,
    peaks,
    root_by_path,
    root_of,
    siblings,
)

SIZES = st.integers(1, 300)


def entries(size: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(size)]


def mth(d: list[bytes]) -> bytes:
    """MTH(D[n])"""
    n = len(d)
    if n == 0:
        return sha256(b"").digest()
    if n == 1:
        return sha256(b"\x00" + d[0]).digest()
    k = largest_power_of_two_below(n)
    return sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: list[bytes]) -> list[bytes]:
    """PATH(m, D[n])"""
    n = len(d)
    if n == 1:
        return []
    k = largest_power_of_two_below(n)
    if m < k:
        return [*path(m, d[:k]), mth(d[k:])]
    return [*path(m - k, d[k:]), mth(d[:k])]


def largest_power_of_two_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def part_root(d: list[bytes], start: int, end: int) -> bytes:
    """From perfect subtrees alone, as the stored tree has them."""
    return root_of([mth(d[n << level : (n + 1) << level]) for level, n in peaks(start, end)])


def test_the_roots_are_those_of_certificate_transparency() -> None:
    # The test vectors that implementations of RFC 6962 and 9162 share.
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    roots = {
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    }
    for size, root in roots.items():
        tree = Frontier()
        tree.extend(leaf_hash(bytes.fromhex(text)) for text in inputs[:size])
        assert tree.root.hex() == root
    assert Frontier().root == EMPTY_ROOT == mth([])


@given(st.lists(st.integers(0, 40), max_size=12))
def test_a_tree_that_grew_in_steps_has_the_root_of_the_definition(steps: list[int]) -> None:
    d = entries(sum(steps))
    hashes = [leaf_hash(entry) for entry in d]
    tree = Frontier()
    for step in steps:
        for row in tree.extend(hashes[tree.size : tree.size + step]):
            span = 1 << row.level
            for number, node in enumerate(row.hashes, row.first):
                assert node == mth(d[number * span : (number + 1) * span])
        assert tree.root == mth(d[: tree.size])
    tops = [mth(d[n << level : (n + 1) << level]) for level, n in peaks(0, len(d))]
    again = Frontier.of(len(d), tops)
    assert again.root == tree.root
    again.extend([leaf_hash(b"more")])
    assert again.root == mth([*d, b"more"])


@given(SIZES, st.data())
def test_inclusion_proofs_are_those_of_the_definition(size: int, data: st.DataObject) -> None:
    d = entries(size)
    index = data.draw(st.integers(0, size - 1))
    proof = [part_root(d, start, end) for start, end in siblings(index, size)]
    assert proof == path(index, d)
    assert root_by_path(leaf_hash(d[index]), index, size, proof) == mth(d)


@given(SIZES, st.data())
def test_a_proof_of_another_leaf_or_index_has_another_root(size: int, data: st.DataObject) -> None:
    d = entries(size)
    index = data.draw(st.integers(0, size - 1))
    proof = path(index, d)
    leaf, root = leaf_hash(d[index]), mth(d)
    assert root_by_path(leaf_hash(b"another"), index, size, proof) != root
    elsewhere = data.draw(st.integers(-1, size).filter(lambda other: other != index))
    assert root_by_path(leaf, elsewhere, size, proof) != root
    assert root_by_path(leaf, index, size, [*proof, root]) is None
    if proof:
        assert root_by_path(leaf, index, size, proof[:-1]) is None
        changed = data.draw(st.integers(0, len(proof) - 1))
        proof[changed] = bytes(32)
        assert root_by_path(leaf, index, size, proof) != root

"""Seals: the proof that history was not changed.

Stored events are the leaves of a Merkle tree (`merkle`, `leaves`), in the order of history. The
size and root of the tree are signed regularly as a `checkpoint`, with the `signing` key of the
installation. `sealing` adds events to the tree, `verifying` compares history with it, and `proofs`
proves that one event is in it, to anyone who has the public key.
"""

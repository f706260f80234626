"""The ways to tamper with `sealed_history`, and the first position that each is about."""

from __future__ import annotations

import msgspec

from domain.seals.verifying import Kind


class Tampering(msgspec.Struct, frozen=True):
    position: int
    kind: Kind
    statements: tuple[str, ...]


WITH_HISTORY: dict[str, Tampering] = {
    "change a state": Tampering(
        5,
        "changed",
        ("UPDATE history_events SET state = state || ' ' WHERE notification_id = 5",),
    ),
    "empty a state": Tampering(
        5, "changed", ("UPDATE history_events SET state = NULL WHERE notification_id = 5",)
    ),
    "change a topic": Tampering(
        20,
        "changed",
        ("UPDATE history_events SET topic = 'Event.Closed' WHERE notification_id = 20",),
    ),
    "move a byte from the state to the topic": Tampering(
        13,
        "changed",
        (
            """
            UPDATE history_events SET topic = topic || '{', state = substr(state, 2)
            WHERE notification_id = 13
            """,
        ),
    ),
    "change an aggregate": Tampering(
        1,
        "changed",
        ("UPDATE history_events SET originator_id = gen_random_uuid() WHERE notification_id = 1",),
    ),
    "change a version": Tampering(
        31,
        "changed",
        ("UPDATE history_events SET originator_version = 9 WHERE notification_id = 31",),
    ),
    "delete the first": Tampering(
        1, "removed", ("DELETE FROM history_events WHERE notification_id = 1",)
    ),
    "delete one in the middle": Tampering(
        17, "removed", ("DELETE FROM history_events WHERE notification_id = 17",)
    ),
    "delete the last": Tampering(
        31, "removed", ("DELETE FROM history_events WHERE notification_id = 31",)
    ),
    "cut off the end": Tampering(
        24, "removed", ("DELETE FROM history_events WHERE notification_id >= 24",)
    ),
    "delete all": Tampering(1, "removed", ("DELETE FROM history_events",)),
    "insert into a hole": Tampering(
        8,
        "inserted",
        (
            """
            INSERT INTO history_events
                (originator_id, originator_version, topic, state, notification_id)
            SELECT gen_random_uuid(), 1, topic, state, 8
            FROM history_events WHERE notification_id = 7
            """,
        ),
    ),
    "insert before the first": Tampering(
        -4,
        "inserted",
        (
            """
            INSERT INTO history_events
                (originator_id, originator_version, topic, state, notification_id)
            SELECT gen_random_uuid(), 1, topic, state, -4
            FROM history_events WHERE notification_id = 7
            """,
        ),
    ),
    "insert, and shift what follows": Tampering(
        12,
        "changed",
        (
            """
            UPDATE history_events SET notification_id = -notification_id
            WHERE notification_id >= 12
            """,
            """
            UPDATE history_events SET notification_id = 1 - notification_id
            WHERE notification_id < 0
            """,
            """
            INSERT INTO history_events
                (originator_id, originator_version, topic, state, notification_id)
            SELECT gen_random_uuid(), 1, topic, state, 12
            FROM history_events WHERE notification_id = 7
            """,
        ),
    ),
    "delete, and shift what follows": Tampering(
        12,
        "changed",
        (
            "DELETE FROM history_events WHERE notification_id = 12",
            """
            UPDATE history_events SET notification_id = -notification_id
            WHERE notification_id > 12
            """,
            """
            UPDATE history_events SET notification_id = -1 - notification_id
            WHERE notification_id < 0
            """,
        ),
    ),
    "swap two": Tampering(
        14,
        "changed",
        (
            """
            UPDATE history_events SET notification_id = -notification_id
            WHERE notification_id IN (14, 22)
            """,
            """
            UPDATE history_events SET notification_id = 36 + notification_id
            WHERE notification_id < 0
            """,
        ),
    ),
    "move one into the hole": Tampering(
        8, "inserted", ("UPDATE history_events SET notification_id = 8 WHERE notification_id = 25",)
    ),
}

WITH_SEALS: dict[str, Tampering] = {  # with the second, over positions 11 to 19, but for the last
    "change a sealed hash": Tampering(
        11,
        "seal",
        (
            """
            UPDATE history_seals SET leaf_hashes = overlay(leaf_hashes PLACING sha256('') FROM 33)
            WHERE start = 9
            """,
        ),
    ),
    "change a root": Tampering(
        11, "seal", ("UPDATE history_seals SET root_hash = sha256('') WHERE start = 9",)
    ),
    "shorten a root": Tampering(
        11, "seal", ("UPDATE history_seals SET root_hash = '' WHERE start = 9",)
    ),
    "change a signature": Tampering(
        11,
        "seal",
        (
            """
            UPDATE history_seals
            SET signature = set_byte(signature, 1, (get_byte(signature, 1) + 1) % 256)
            WHERE start = 9
            """,
        ),
    ),
    "change the time of a seal": Tampering(
        11,
        "seal",
        ("UPDATE history_seals SET sealed_at = sealed_at - interval '1 day' WHERE start = 9",),
    ),
    "make the time of a seal unreadable": Tampering(
        1, "seal", ("UPDATE history_seals SET sealed_at = '10007-01-01' WHERE start = 9",)
    ),
    "change the positions of a seal": Tampering(
        11,
        "seal",
        ("UPDATE history_seals SET positions = '{[11,14),[15,21)}' WHERE start = 9",),
    ),
    "make the positions of a seal endless": Tampering(
        11,
        "seal",
        ("UPDATE history_seals SET positions = '{[11,1000000000000)}' WHERE start = 9",),
    ),
    "remove the first seal": Tampering(1, "seal", ("DELETE FROM history_seals WHERE start = 0",)),
    "remove a seal": Tampering(11, "seal", ("DELETE FROM history_seals WHERE start = 9",)),
    "change an event, and its sealed hash": Tampering(
        11,
        "seal",
        (
            "UPDATE history_events SET state = '' WHERE notification_id = 12",
            """
            UPDATE history_seals SET leaf_hashes = overlay(leaf_hashes PLACING (
                SELECT sha256(
                    '\\x0001'::bytea || int8send(notification_id) || uuid_send(originator_id)
                    || int8send(originator_version) || int4send(octet_length(topic))
                    || int4send(0) || topic::bytea
                ) FROM history_events WHERE notification_id = 12
            ) FROM 33)
            WHERE start = 9
            """,
        ),
    ),
}

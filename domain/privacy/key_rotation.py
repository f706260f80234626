"""Rotates the data key of the installation while the system runs: a new generation is created,
every personal key is wrapped with it, and the old one is removed.

History is not changed. Once there is a new generation, an append refuses keys of an older one, and
its process loads the new one and tries again (`domain.history.store.append`). So the number of keys
to wrap again only decreases. Readers load a generation that they do not know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from psycopg import Connection

from domain.privacy.encryption import CannotOpen, new_key
from domain.privacy.keys import MARK_BYTES, InstallationKeys, binding_of, unwrap, wrap

BATCH_SIZE = 1_000
"""Keys wrapped in one transaction."""

Report = Callable[[int, int], None]
"""Called with the number of keys wrapped so far, and the total."""


class RotationUnderWay(Exception):
    """The keys are being rotated already; wait until that ends"""


class StillInUse(Exception):
    """Some personal keys are still wrapped with an older data key, which is kept; rotate again"""


def rotate(connection: Connection[Any], secret_keys: tuple[str, ...], report: Report) -> int:
    """Rotate the data key, or complete an interrupted rotation, on a connection in autocommit mode;
    returns the number of personal keys that were wrapped again.

    Wraps the keys of the installation with the first of `secret_keys`. Raises `RotationUnderWay`,
    `StillInUse`, and `CannotOpen`, which names the damaged personal key.
    """
    (alone,) = _row(connection, "SELECT pg_try_advisory_lock(hashtext('rotate_keys'))")
    if not alone:
        raise RotationUnderWay
    try:
        keys = _begin(connection, secret_keys)
        count = _wrap_again(connection, keys, report)
        _retire(connection, keys)
    finally:
        connection.execute("SELECT pg_advisory_unlock(hashtext('rotate_keys'))")
    connection.execute("VACUUM personal_keys, installation_keys")
    return count


def _begin(connection: Connection[Any], secret_keys: tuple[str, ...]) -> InstallationKeys:
    """The keys with a new generation, or with that of an interrupted rotation."""
    with connection.transaction():
        # Appends with the old generation commit before this lock is granted.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('append_to_history'))")
        (wrapped,) = _row(connection, "SELECT wrapped FROM installation_keys FOR UPDATE")
        keys = InstallationKeys.unwrap(wrapped, secret_keys)
        if len(keys.data) == 1:
            next_one = int.from_bytes(keys.mark, "big") + 1
            keys.data[next_one.to_bytes(MARK_BYTES, "big")] = new_key()
        connection.execute(
            "UPDATE installation_keys SET wrapped = %s, mark = %s",
            [keys.wrap(*secret_keys), keys.mark],
        )
    return keys


def _wrap_again(connection: Connection[Any], keys: InstallationKeys, report: Report) -> int:
    (total,) = _row(
        connection, "SELECT count(*) FROM personal_keys WHERE substr(wrapped, 61) <> %s", keys.mark
    )
    done, last = 0, (UUID(int=0), 0)
    while True:
        with connection.transaction():
            rows = connection.execute(
                """
                SELECT originator_id, originator_version, wrapped FROM personal_keys
                WHERE (originator_id, originator_version) > (%s, %s) AND substr(wrapped, 61) <> %s
                ORDER BY originator_id, originator_version
                LIMIT %s FOR UPDATE
                """,
                [*last, keys.mark, BATCH_SIZE],
                binary=True,
            ).fetchall()
            if not rows:
                return done
            connection.execute(
                """
                UPDATE personal_keys AS k SET wrapped = again.wrapped
                FROM unnest(%b::uuid[], %b::bigint[], %b::bytea[]) AS again (id, version, wrapped)
                WHERE k.originator_id = again.id AND k.originator_version = again.version
                """,
                [
                    [id for id, _, _ in rows],
                    [version for _, version, _ in rows],
                    [_again(keys, *row) for row in rows],
                ],
            )
        last, done = rows[-1][:2], done + len(rows)
        report(done, total)


def _again(keys: InstallationKeys, id: UUID, version: int, wrapped: bytes) -> bytes:
    bound_to = binding_of(id, version)
    try:
        return wrap(keys, unwrap(keys, wrapped, bound_to), bound_to)
    except CannotOpen as error:
        raise CannotOpen(
            f"the personal key of event {version} of {id} is damaged ({error}):"
            " restore it, or delete it, since it opens nothing"
        ) from error


def _retire(connection: Connection[Any], keys: InstallationKeys) -> None:
    """Remove all generations except the newest. Raises `StillInUse`."""
    newest = InstallationKeys(identity=keys.identity, data={keys.mark: keys.data[keys.mark]})
    cursor = connection.execute(
        """
        UPDATE installation_keys SET wrapped = %s
        WHERE NOT EXISTS (SELECT FROM personal_keys WHERE substr(wrapped, 61) <> %s)
        """,
        [newest.wrap(*keys.secret_keys), keys.mark],
    )
    if not cursor.rowcount:
        raise StillInUse


def _row(connection: Connection[Any], query: Any, *parameters: object) -> tuple[Any, ...]:
    return cast("tuple[Any, ...]", connection.execute(query, parameters).fetchone())

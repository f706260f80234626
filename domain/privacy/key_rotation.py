"""Rotating the installation's data key while the system runs: a new generation of it wraps from
now on, every personal key is wrapped again under it, and the old one is forgotten.

History is not touched. Once the new generation is there an append takes no key of an older one:
its process learns the new one and tries again (`domain.history.store.append`). So what is left to
be wrapped again only gets less, and readers that meet a generation they do not know learn it too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from psycopg import Connection

from domain.privacy.encryption import CannotOpen, new_key
from domain.privacy.keys import MARK_BYTES, InstallationKeys, place, unwrap, wrap

PORTION = 1_000
"""Keys wrapped again in one transaction."""

Report = Callable[[int, int], None]
"""Told how many keys are wrapped again, and of how many."""


class RotationUnderWay(Exception):
    """The keys are being rotated already; wait for that to end"""


class StillInUse(Exception):
    """Some personal keys are wrapped by an older data key still: it is kept; rotate again"""


def rotate(connection: Connection[Any], secret_keys: tuple[str, ...], report: Report) -> int:
    """Rotate the data key, or end a rotation that was interrupted, on a connection in autocommit
    mode; how many personal keys were wrapped again.

    Wraps the installation's keys under the first of `secret_keys`. Raises `RotationUnderWay`,
    `StillInUse`, and `CannotOpen`, which names the personal key that is damaged.
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
    """The keys with a new generation, unless one is there that an interrupted rotation made."""
    with connection.transaction():
        # Whoever appends under the old generation has committed before it is no longer taken.
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
                [*last, keys.mark, PORTION],
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
    bound_to = place(id, version)
    try:
        return wrap(keys, unwrap(keys, wrapped, bound_to), bound_to)
    except CannotOpen as error:
        raise CannotOpen(
            f"the personal key of event {version} of {id} is damaged ({error}):"
            " restore it, or delete it, since it opens nothing"
        ) from error


def _retire(connection: Connection[Any], keys: InstallationKeys) -> None:
    """Forget all generations but the newest. Raises `StillInUse`."""
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

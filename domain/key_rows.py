"""The rows of API keys, as inline projections: authentication always agrees with history.

Only hashes of secrets are stored. History has not even these, so the rows cannot be rebuilt from
it.
"""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from domain.api_keys import ApiKey, CreateKey, RevokeKey, RollKey
from domain.core.unit_of_work import Work


async def insert_key(connection: AsyncConnection[Any], command: CreateKey, work: Work) -> None:
    recorded = work.recorded[0]
    key = work.get(ApiKey, recorded.originator_id)
    await connection.execute(
        """
        INSERT INTO api_keys
            (id, name, scopes, event_ids, expires_at, created_at, created_by, version)
        VALUES (%b, %b, %b::text[], %b::uuid[], %b, %b, %b, %b)
        """,
        [
            key.id,
            key.name,
            list(key.scopes),
            None if key.event_ids is None else list(key.event_ids),
            key.expires_at,
            work.now,
            recorded.metadata.actor,
            key.version,
        ],
    )
    await _insert_secret(connection, key, command.secret_hash)


async def replace_secret(connection: AsyncConnection[Any], command: RollKey, work: Work) -> None:
    """Earlier secrets work until the end of this grace at most, by the clock of the database, which
    authentication goes by."""
    key = work.get(ApiKey, command.key_id)
    await connection.execute(
        """
        UPDATE api_key_secrets SET works_until = least(works_until, now() + %b::interval)
        WHERE key_id = %b
        """,
        [command.grace, key.id],
    )
    await connection.execute(
        "DELETE FROM api_key_secrets WHERE key_id = %b AND works_until <= now()", [key.id]
    )
    await connection.execute(
        "UPDATE api_keys SET rolled_at = %b, version = %b WHERE id = %b",
        [work.now, key.version, key.id],
    )
    await _insert_secret(connection, key, command.secret_hash)


async def delete_secrets(connection: AsyncConnection[Any], command: RevokeKey, work: Work) -> None:
    """The key itself stays: history shows its name."""
    key = work.get(ApiKey, command.key_id)
    await connection.execute("DELETE FROM api_key_secrets WHERE key_id = %b", [key.id])
    await connection.execute(
        "UPDATE api_keys SET revoked_at = %b, version = %b WHERE id = %b",
        [work.now, key.version, key.id],
    )


async def _insert_secret(connection: AsyncConnection[Any], key: ApiKey, secret_hash: bytes) -> None:
    await connection.execute(
        "INSERT INTO api_key_secrets (hash, key_id) VALUES (%b, %b)", [secret_hash, key.id]
    )

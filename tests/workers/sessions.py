"""Sessions that end when a test wants it."""

from __future__ import annotations

from uuid import UUID, uuid4

import psycopg


def sessions_held(database_url: str, *expire_in: str) -> list[UUID]:
    """Of one account, in the order of their ids."""
    account, ids = uuid4(), sorted(uuid4() for _ in expire_in)
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO credentials VALUES (%s, 'ada', 'a hash', 1, '{}', false)", [account]
        )
        cursor.executemany(
            "INSERT INTO sessions VALUES (%s, %s, '', now() + %s::interval)",
            [(id, account, life) for id, life in zip(ids, expire_in, strict=True)],
        )
    return ids

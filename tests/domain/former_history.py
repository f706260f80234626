"""A history from before 2026-11-27, when more emails and fewer names were taken for the same.

`former_history.json` holds its events and their keys as that release appended them: an event with
the visitors `ada@faß.de`, `x²@example.com`, `bob@example.com`, and `gross@example.com` where
`groß@example.com` was erased; an area `Ha\\u200bll`; the accounts `ro\\u200bot` and `ᾼ͂da`.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import msgspec

from domain.history.store import connect
from domain.privacy.keys import InstallationKeys
from tests.support.installation import Installation, installation_on

FORMER = msgspec.json.decode((Path(__file__).parent / "former_history.json").read_bytes())
FAIR = UUID(FORMER["event_id"])
FORMER_KEYS = InstallationKeys(
    identity=bytes.fromhex(FORMER["identity"]), data={b"": bytes.fromhex(FORMER["data"])}
)


@asynccontextmanager
async def former_installation(database_url: str) -> AsyncIterator[Installation]:
    async with await connect(database_url) as connection:
        for event in FORMER["events"]:
            place = [UUID(event["id"]), event["version"]]
            await connection.execute(
                """
                INSERT INTO history_events (originator_id, originator_version, topic, state)
                VALUES (%s, %s, %s, %s)
                """,
                [*place, event["topic"], b64decode(event["state"])],
            )
            if event["wrapped"]:
                await connection.execute(
                    "INSERT INTO personal_keys VALUES (%s, %s, %s)",
                    [*place, b64decode(event["wrapped"])],
                )
    async with installation_on(database_url, FORMER_KEYS) as installation:
        yield installation

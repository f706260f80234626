"""Making history by hand: each command by whom and when a test wants it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domain.application import APPLICATION
from domain.areas import CreateArea, RenameArea
from domain.core.unit_of_work import Environment
from domain.core.values import Text
from domain.history.batch import CommandRequest, Done, Origin
from domain.history.decider import Decider
from domain.history.store import connect
from domain.privacy.keys import InstallationKeys
from tests.support.installation import ORIGIN, a_registration, an_event

MORNING = datetime(2030, 5, 1, 9, tzinfo=UTC)

HOUR = timedelta(hours=1)


class Deeds:
    """What happens to one database. Each is committed by itself."""

    def __init__(self, database_url: str, keys: InstallationKeys) -> None:
        self._database_url = database_url
        self._keys = keys

    async def do(self, command: Any, *, by: str = "anonymous", at: datetime = MORNING) -> Any:
        """What the command answers."""
        decider = Decider(self._keys, APPLICATION, Environment(now=lambda: at))
        origin = Origin(actor=by, correlation_id=ORIGIN.correlation_id)
        async with await connect(self._database_url) as connection:
            (outcome,) = await decider.execute(connection, [CommandRequest(command, origin)])
        assert isinstance(outcome, Done), outcome
        return outcome.value

    async def area(self, name: str = "Great Hall", **how: Any) -> UUID:
        """Two events: the name is claimed, then the area created."""
        id: UUID = (await self.do(CreateArea(name=Text(name)), **how)).id
        return id

    async def rename(self, area: UUID, name: str, **how: Any) -> None:
        """Three events, the last one of which is the area's."""
        await self.do(RenameArea(area_id=area, name=Text(name)), **how)

    async def event(self, **how: Any) -> UUID:
        at = how.get("at", MORNING) + timedelta(days=30)
        id: UUID = (await self.do(an_event(at=at), **how)).event.id
        return id

    async def register(self, event: UUID, email: str = "ada@example.com", **how: Any) -> UUID:
        id: UUID = (await self.do(a_registration(event, email), **how)).id
        return id

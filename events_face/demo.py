"""`up --demo`: something to look at in a new installation. One that has a history is left alone."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from domain.areas import CreateArea
from domain.batch import Decider, Done, Origin, Request
from domain.events import CreateEvent
from domain.history import connect, last_position
from domain.values import Email, FullName, Text
from domain.visitors import RegisterVisitor
from events_face.errors import CommandFailed
from events_face.installation import installation_keys
from events_face.services import Services
from events_face.settings import Settings

ORIGIN = Origin(actor="system:demo", correlation_id="demo")

EVENTS = {
    "PyCon Zürich": ("Kongresshaus", 30),
    "Open Data Day": ("Kongresshaus", 12),
    "Nuit de la lecture": ("Bibliothèque", 45),
    "データベース勉強会": ("Online", 7),
    "Summer School on Distributed Systems": ("Old Town Hall", 90),
    "100% Rust": ("Online", 21),
}
"""Name -> area, and in how many days it takes place."""

VISITORS = ("Ada Lovelace", "Grace Hopper", "Zoë Žižek", "李小龙", "Edsger Dijkstra")

log = structlog.get_logger()


def load_demo(settings: Settings, services: Services) -> None:
    """Areas, events and visitors, as if they had been given over HTTP."""
    keys = installation_keys(settings, services.database_url)
    asyncio.run(_load(services.database_url, Decider(keys)))


async def _load(database_url: str, decider: Decider) -> None:
    async with await connect(database_url) as connection:
        if await last_position(connection):
            log.info("no demo: this installation has a history already")
            return

        async def give(*commands: object) -> list[Done]:
            outcomes = await decider.execute(connection, [Request(c, ORIGIN) for c in commands])
            done = [outcome for outcome in outcomes if isinstance(outcome, Done)]
            if len(done) < len(commands):
                raise CommandFailed("the demo could not be loaded whole")
            return done

        names = sorted({area for area, _ in EVENTS.values()})
        created = await give(*(CreateArea(name=Text(name)) for name in names))
        areas = dict(zip(names, [done.value.id for done in created], strict=True))
        events = await give(
            *(_event(name, areas[area], days) for name, (area, days) in EVENTS.items())
        )
        await give(
            *(
                _registration(done.value.event.id, visitor, number)
                for done in events
                for number, visitor in enumerate(VISITORS)
            )
        )


def _event(name: str, area_id: UUID, days: int) -> CreateEvent:
    starts = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    starts += timedelta(days=days)
    return CreateEvent(
        name=Text(name),
        event_datetime=starts,
        registration_deadline=starts - timedelta(days=1),
        area_id=area_id,
    )


def _registration(event_id: UUID, visitor: str, number: int) -> RegisterVisitor:
    email = Email(f"visitor{number}@example.com")
    return RegisterVisitor(event_id=event_id, full_name=FullName(visitor), email=email)

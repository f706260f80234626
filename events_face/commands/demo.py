"""`up --demo`: example data for a new installation. An installation with history is not changed."""

import asyncio
import secrets
import sys
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from api.identity.password_hasher import ARGON2ID
from domain.accounts import ROLES, PasswordHash, RegisterAccount
from domain.application import APPLICATION
from domain.areas import CreateArea
from domain.core.times import Timezone
from domain.core.values import Capacity, Email, FullName, Text, Username
from domain.event_editing import CreateEvent
from domain.history.batch import CommandRequest, Done, Origin
from domain.history.decider import Decider
from domain.history.store import connect, last_position
from domain.registrations import RegisterVisitor
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings

ORIGIN = Origin(actor="system:demo", correlation_id="demo")


class DemoEvent(msgspec.Struct, frozen=True):
    name: str
    area: str
    days: int
    """Days until the event."""
    timezone: str
    capacity: int | None = None


EVENTS = (
    DemoEvent("PyCon Zürich", "Kongresshaus", 30, "Europe/Zurich", capacity=400),
    DemoEvent("Open Data Day", "Kongresshaus", 12, "Europe/Zurich", capacity=3),
    DemoEvent("Nuit de la lecture", "Bibliothèque", 45, "Europe/Paris"),
    DemoEvent("データベース勉強会", "Online", 7, "Asia/Tokyo"),
    DemoEvent("Summer School on Distributed Systems", "Old Town Hall", 90, "Europe/Prague"),
    DemoEvent("100% Rust", "Online", 21, "UTC"),
)

VISITORS = ("Ada Lovelace", "Grace Hopper", "Zoë Žižek", "李小龙", "Edsger Dijkstra")

USERNAME = "demo"

log = structlog.get_logger()


def load_demo(settings: Settings, services: Services) -> None:
    """Create areas, events and visitors with the same commands as the API, and an account."""
    keys = installation_keys(settings, services.database_url)
    password = secrets.token_urlsafe(12)
    if not asyncio.run(_load(services.database_url, Decider(keys, APPLICATION), password)):
        log.warning("--demo changes nothing: this installation already has a history")
        return
    sys.stderr.write(f"demo account: {USERNAME}, password: {password} (shown only now)\n")


async def _load(database_url: str, decider: Decider, password: str) -> bool:
    """False if there is a history already."""
    async with await connect(database_url) as connection:
        if await last_position(connection):
            return False

        async def give(*commands: object) -> list[Done]:
            outcomes = await decider.execute(
                connection, [CommandRequest(c, ORIGIN) for c in commands]
            )
            done = [outcome for outcome in outcomes if isinstance(outcome, Done)]
            if len(done) < len(commands):
                raise CommandFailed("the demo data could not be loaded completely")
            return done

        names = sorted({event.area for event in EVENTS})
        created = await give(*(CreateArea(name=Text(name)) for name in names))
        areas = dict(zip(names, [done.value.id for done in created], strict=True))
        events = await give(*(_event(event, areas[event.area]) for event in EVENTS))
        await give(
            *(
                _registration(done.value.event.id, visitor, number)
                for done in events
                for number, visitor in enumerate(VISITORS)
            )
        )
        await give(
            RegisterAccount(
                username=Username.parse(USERNAME),
                password_hash=PasswordHash(ARGON2ID.hash(password)),
                roles=ROLES,
            )
        )
        return True


def _event(demo: DemoEvent, area_id: UUID) -> CreateEvent:
    starts = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    starts += timedelta(days=demo.days)
    return CreateEvent(
        name=Text(demo.name),
        event_datetime=starts,
        registration_deadline=starts - timedelta(days=1),
        area_id=area_id,
        ends_at=starts + timedelta(hours=8),
        timezone=Timezone(demo.timezone),
        capacity=None if demo.capacity is None else Capacity(demo.capacity),
        waiting_list="automatic",
    )


def _registration(event_id: UUID, visitor: str, number: int) -> RegisterVisitor:
    """Registers the visitor, or puts them on the waiting list of a full event."""
    return RegisterVisitor(
        event_id=event_id,
        full_name=FullName(visitor),
        email=Email(f"visitor{number}@example.com"),
        join_waiting_list=True,
    )

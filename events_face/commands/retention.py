"""The command `retention`: forgets the visitors of events that ended long ago, at once."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

from domain.history.store import connect
from domain.retention import NOTICE
from projections.retention_plan import by_command_now, plan
from projections.visitors_to_forget import ForgottenEvent, Terms, count_to_forget
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings
from workers.upkeep.retention import Behind, BeingDone, forget


def retention(
    settings: Settings, services: Services, *, dry_run: bool = False, yes: bool = False
) -> None:
    """Print what is forgotten, event by event. On a terminal this asks first, except with `yes`.

    It does not wait for the notice of a changed setting: who calls it knows what it says.
    """
    terms = by_command_now(settings.retention_days)
    if dry_run:
        asyncio.run(_print_plan(services.database_url, settings.retention_days))
        return
    if not yes and sys.stdin.isatty():
        asyncio.run(_ask(services.database_url, terms))
    try:
        asyncio.run(_forget(settings, services.database_url, terms))
    except (Behind, BeingDone) as reason:
        raise CommandFailed(f"{reason.__doc__}; try again later") from None


async def _print_plan(database_url: str, setting: int | None) -> None:
    now = datetime.now(UTC)
    async with await connect(database_url) as connection:
        planned = await plan(connection, setting, now)
    for each in planned.events:
        due = each.event.forget_at
        _print("now" if due <= now else _time(due), each.visitors, each.event)
    now_and_later = f"{_counted(planned.now)} now, {_counted(planned.later)} more"
    _write(f"would forget {now_and_later} within {NOTICE.days} days")
    policy = planned.policy
    if policy.days != setting:
        _write(f"RETENTION_DAYS is {_days(setting)}; the scheduler has seen: {_days(policy.days)}")
    elif policy.days is not None and policy.applies_from > now:
        _write(f"the scheduler uses RETENTION_DAYS={policy.days} from {_time(policy.applies_from)}")


async def _ask(database_url: str, terms: Terms) -> None:
    """Raises CommandFailed unless the answer is yes."""
    async with await connect(database_url) as connection:
        due = await count_to_forget(connection, terms, datetime.now(UTC))
    if not due:
        return
    sys.stderr.write(f"Erase {_counted(due)}? It cannot be undone. [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CommandFailed("nobody was forgotten")


async def _forget(settings: Settings, database_url: str, terms: Terms) -> None:
    keys = installation_keys(settings, database_url)
    counts = list[int]()
    async with await connect(database_url) as connection:
        async for forgotten in forget(connection, database_url, keys, terms):
            counts.append(forgotten.visitors)
            _print("forgotten", forgotten.visitors, forgotten.event)
    _write(f"forgot {_counted(sum(counts))} of {len(counts):,} event{_s(len(counts))}")


def _print(when: str, visitors: int, event: ForgottenEvent) -> None:
    removed = ", removed" if event.removed else ""
    _write(
        f"{when}\t{_counted(visitors)}\t{event.name}"
        f" ({event.id}), ended {_time(event.ended_at)}{removed}"
    )


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z"


def _days(days: int | None) -> str:
    return "not set" if days is None else str(days)


def _counted(visitors: int) -> str:
    return f"{visitors:,} visitor{_s(visitors)}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")

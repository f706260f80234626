"""The commands `outbox`, `sync` and `cleanup`, as an operator runs them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from projections.backlog import count_by_state
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.notification_service import NotificationService
from tests.support.processes import environment, events_face, role
from tests.support.provider import Provider, an_item
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

PAST = "2013-02-07T09:00:00Z"


async def registered(installation: Installation, *emails: str) -> None:
    await installation.register(await installation.event(), *emails)
    await installation.project()


async def test_outbox_once_prints_the_outcomes_of_due_notifications(
    installation: Installation,
    service: NotificationService,
    worker_settings: Settings,
    services: Services,
) -> None:
    await registered(installation, "good@example.org", "bad@example.org", "later@example.org")
    service.by_email = {
        "bad@example.org": Answer(status=400),
        "later@example.org": Answer(status=503, headers={"Retry-After": "60"}),
    }
    surroundings = environment(worker_settings, services)
    ran = events_face(surroundings, "outbox", "--once")
    assert (ran.code, ran.out) == (0, "sent 1, failed 1, waiting 1\n")
    service.by_email = {}
    ran = events_face(surroundings, "outbox", "--once", "--now")
    assert (ran.code, ran.out) == (0, "sent 1, failed 0, waiting 0\n")


async def test_outbox_once_ends_with_the_reason_when_the_service_refuses_the_credentials(
    installation: Installation,
    service: NotificationService,
    worker_settings: Settings,
    services: Services,
) -> None:
    await registered(installation, "ada@example.org")
    service.usual = Answer(status=401)
    surroundings = environment(worker_settings, services)
    refused = events_face(surroundings, "outbox", "--once")
    assert (refused.code, refused.out) == (1, "sent 0, failed 0, waiting 1\n")
    assert refused.err.splitlines()[-1] == (
        "events-face: sending is paused, the service refuses the credentials: HTTP 401"
    )
    service.usual = Answer()
    allowed = events_face(surroundings, "outbox", "--once")
    assert (allowed.code, allowed.out) == (0, "sent 1, failed 0, waiting 0\n")


async def test_outbox_needs_a_service(settings: Settings, services: Services) -> None:
    ran = events_face(environment(settings, services), "outbox", "--once")
    assert ran.code == 1
    assert "NOTIFICATION_SERVICE_URL and MAIL_URL are not set" in ran.err


async def test_the_outbox_loop_delivers_new_notifications_until_it_is_stopped(
    installation: Installation,
    service: NotificationService,
    worker_settings: Settings,
    services: Services,
) -> None:
    await registered(installation, "early@example.org")
    with role(environment(worker_settings, services), "outbox", "--sleep", "0.05") as loop:
        await until_async(lambda: all_are_sent(installation, 1))
        await registered(installation, "late@example.org")
        await until_async(lambda: all_are_sent(installation, 2))
        loop.terminate()
        assert loop.wait(30) == 0
    assert service.emails == ["early@example.org", "late@example.org"]


async def all_are_sent(installation: Installation, count: int) -> bool:
    return (await count_by_state(installation.connection))["sent"] == count


async def test_sync_prints_counts_and_the_reasons_of_skipped_items(
    installation: Installation, settings: Settings, services: Services, source: Provider
) -> None:
    source.items = [an_item(event_datetime=PAST), {"id": "1"}]
    settings = msgspec.structs.replace(settings, events_provider_url=source.url)
    ran = events_face(environment(settings, services), "sync")
    assert (ran.code, ran.out) == (0, "new 1, updated 0, unchanged 0, skipped 1\n")
    assert "skipped 1: id must be a UUID; name is missing" in ran.err

    source.instead = Answer(status=503)
    failed = events_face(environment(settings, services), "sync", "--all")
    assert (failed.code, failed.out) == (1, "")
    assert failed.err.splitlines()[-1] == (
        "events-face: the events provider could not be read: the provider answered HTTP 503"
    )


async def test_sync_needs_a_provider(settings: Settings, services: Services) -> None:
    ran = events_face(environment(settings, services), "sync")
    assert ran.code == 1
    assert ran.err.startswith("events-face: EVENTS_PROVIDER_URL is not set")
    assert ran.err.count("\n") == 1


async def test_cleanup_prints_the_number_of_removed_events(
    installation: Installation, settings: Settings, services: Services, source: Provider
) -> None:
    source.items = [an_item(event_datetime=PAST), {"id": "1"}]
    settings = msgspec.structs.replace(settings, events_provider_url=source.url)
    surroundings = environment(settings, services)
    events_face(surroundings, "sync")
    await installation.project()
    assert events_face(surroundings, "cleanup", "--days", "36500").out == "removed 0\n"
    assert events_face(surroundings, "cleanup").out == "removed 1\n"


async def test_retention_prints_what_it_would_forget_and_forgets_it(
    installation: Installation, worker_settings: Settings, services: Services
) -> None:
    now = datetime.now(UTC)
    before = installation.at(now - timedelta(days=60))
    old = await before.event("Old fair", at=now - timedelta(days=31))
    soon = await before.event("Late fair", at=now - timedelta(days=27))
    for event in (old, soon):
        await before.register(event, "ada@example.org")
    await installation.project()
    surroundings = environment(worker_settings, services) | {"RETENTION_DAYS": "30"}
    ran = events_face(surroundings, "retention", "--dry-run")
    now_line, later, *summary = ran.out.splitlines()
    assert now_line.startswith(f"now\t1 visitor\tOld fair ({old}), ended ")
    assert later.startswith(f"{now + timedelta(days=3):%Y-%m-%d %H:%M}Z\t1 visitor\tLate fair")
    assert summary == [
        "would forget 1 visitor now, 1 visitor more within 7 days",
        "RETENTION_DAYS is 30; the scheduler has seen: not set",
    ]
    ran = events_face(surroundings, "retention")
    assert (ran.code, ran.err) == (0, "")
    first, last = ran.out.splitlines()
    assert first.startswith("forgotten\t1 visitor\tOld fair")
    assert last == "forgot 1 visitor of 1 event"
    await installation.project()
    statuses = {row["event_id"]: row["status"] for row in await installation.rows("visitors")}
    assert statuses == {str(old): "erased", str(soon): "registered"}
    without = environment(worker_settings, services)
    assert events_face(without, "retention").out == "forgot 0 visitors of 0 events\n"
    wrong = events_face(without | {"RETENTION_DAYS": "-1"}, "retention")
    assert wrong.code == 1
    assert "RETENTION_DAYS must be a number of days, 0 to 36500" in wrong.err

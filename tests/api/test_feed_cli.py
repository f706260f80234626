"""`events-face feed` prints the feed, and follows it through whatever happens."""

from __future__ import annotations

import signal
from typing import Any

import msgspec
import psycopg
import pytest

from domain.audit.disclosures import PersonalDataRead
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.installation import Installation, Maker
from tests.support.processes import (
    Spoken,
    environment,
    events_face,
    events_face_command,
    spoken_with,
)
from tests.support.waiting import until


def item(line: str) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(line)
    return decoded


async def a_registration(installation: Installation) -> None:
    await installation.register(await installation.event(), "ada@example.com")


async def disclosures(installation: Installation) -> list[PersonalDataRead]:
    history = await installation.history()
    return [e.event for e in history if isinstance(e.event, PersonalDataRead)]


def test_each_item_is_a_line(settings: Settings, services: Services, make: Maker) -> None:
    make(a_registration)
    printed = events_face(environment(settings, services), "feed")
    assert (printed.code, printed.err) == (0, "")
    created, registered = map(item, printed.out.splitlines())
    assert created["type"] == "event.created"
    assert (registered["type"], registered["data"]["email"]) == ("visitor.registered", None)
    after = events_face(
        environment(settings, services), "feed", "--after", str(created["position"])
    )
    assert [item(line) for line in after.out.splitlines()] == [registered]
    assert make(disclosures) == []


def test_an_operator_who_reads_names_is_recorded(
    settings: Settings, services: Services, make: Maker
) -> None:
    make(a_registration)
    printed = events_face(environment(settings, services), "feed", "--personal")
    registered = item(printed.out.splitlines()[1])
    assert registered["data"]["email"] == "ada@example.com"
    at = registered["position"]
    assert make(disclosures) == [
        PersonalDataRead(criteria={"feed": "all"}, first_position=at, last_position=at, count=1)
    ]


def test_a_position_beyond_history_is_refused(
    settings: Settings, services: Services, make: Maker
) -> None:
    make(a_registration)
    refused = events_face(environment(settings, services), "feed", "--after", "1000", "--follow")
    assert refused.code == 1
    assert refused.err.startswith("events-face: History does not have this position: was")
    assert refused.err.count("\n") == 1


def following(settings: Settings, services: Services, **options: Any) -> Any:
    command = events_face_command("feed", "--follow")
    return spoken_with(command, env=environment(settings, services), **options)


def next_item(follower: Spoken) -> dict[str, Any]:
    assert follower.stdout is not None
    return item(follower.stdout.readline())


def test_a_follower_goes_on_when_the_database_was_away(
    settings: Settings, services: Services, make: Maker
) -> None:
    make(a_registration)
    with following(settings, services) as follower:
        seen = [next_item(follower), next_item(follower)]
        with psycopg.connect(services.database_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        make(a_registration)
        seen += [next_item(follower), next_item(follower)]
        assert [i["type"] for i in seen] == ["event.created", "visitor.registered"] * 2
        follower.send_signal(signal.SIGINT)
        assert follower.wait(30) == 128 + signal.SIGINT


@pytest.mark.parametrize("happens_more", [True, False])
def test_a_follower_ends_when_nobody_reads_it(
    settings: Settings, services: Services, make: Maker, happens_more: bool
) -> None:
    make(a_registration)
    with following(settings, services) as follower:
        next_item(follower)
        assert follower.stdout is not None
        follower.stdout.close()
        if happens_more:
            make(a_registration)
        until(lambda: follower.poll() is not None)
        assert follower.returncode == 0

"""The status of each projection, for every state of its table and its projector."""

from __future__ import annotations

import msgspec
import pytest
from structlog.testing import capture_logs

from domain.history.store import connect, last_position
from projections.areas import AREAS
from projections.projector import tail
from projections.projector.projector import Projector
from projections.rebuild.progress import announce_progress, lock_for_rebuild
from projections.registry import ALL
from projections.status import ProjectionStatus, projection_statuses
from tests.support.installation import Installation, running
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


async def standing(installation: Installation, name: str) -> ProjectionStatus:
    return {s.name: s for s in await projection_statuses(installation.connection)}[name]


async def test_the_status_has_the_lag_of_a_projection(installation: Installation) -> None:
    await installation.area("Here")
    await installation.connection.execute(
        """
        UPDATE history_events SET state = replace(
            convert_from(state, 'UTF8'),
            (convert_from(state, 'UTF8')::json ->> 'timestamp'),
            to_char(now() AT TIME ZONE 'UTC' - interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        )::bytea
        """
    )
    behind = await standing(installation, "areas")
    assert (behind.position, behind.lag_events) == (0, 2)
    assert behind.lag_seconds is not None
    assert 3600 <= behind.lag_seconds < 3700
    await installation.project()
    level = await standing(installation, "areas")
    assert (level.lag_events, level.lag_seconds) == (0, 0.0)


async def test_the_status_can_be_read_when_the_next_event_cannot(
    installation: Installation,
) -> None:
    await installation.area("Here")
    await installation.connection.execute("UPDATE history_events SET state = 'what?'")
    assert {s.lag_seconds for s in await projection_statuses(installation.connection)} == {None}


async def test_the_state_of_a_projection_follows_from_its_leader(
    installation: Installation,
) -> None:
    assert (await standing(installation, "areas")).state == "unattended"
    others = [projection for projection in ALL if projection is not AREAS]
    async with running(Projector(installation.database_url, installation.keys, others)):

        async def one_is_led() -> bool:
            return (await standing(installation, "events")).state == "running"

        await until_async(one_is_led)
        assert (await standing(installation, "areas")).state == "standby"


async def test_a_rebuild_is_shown_and_is_not_a_failure(installation: Installation) -> None:
    async with await connect(installation.database_url) as rebuild:
        await lock_for_rebuild(rebuild, ["areas"])
        await announce_progress(rebuild, 30, 100)
        found = await standing(installation, "areas")
        assert (found.state, found.trouble) == ("rebuilding", None)
        assert found.rebuild is not None
        assert (found.rebuild.reached, found.rebuild.target) == (30, 100)
        assert (await standing(installation, "events")).state == "unattended"
    async with await connect(installation.database_url) as killed:
        await lock_for_rebuild(killed, ["areas"])
        await announce_progress(killed, 30, 100)

    async def forgotten() -> bool:
        return (await standing(installation, "areas")).state == "unattended"

    await until_async(forgotten)


async def test_a_stopped_projection_names_the_event_and_runs_again_with_a_fixed_release(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "RETRY_STOPPED_AFTER", 0.05)
    area = await installation.area("Here")
    end = await last_position(installation.connection)

    async def stumble(*_: object) -> bool:
        raise ValueError("what is this?")

    broken = msgspec.structs.replace(AREAS, apply=stumble)

    async def state() -> str:
        return (await standing(installation, "areas")).state

    async def stopped() -> bool:
        said = {(line.get("topic"), line.get("aggregate_id")) for line in logged}
        return ("Area.Created", str(area)) in said and await state() == "stopped"

    async def runs() -> bool:
        return await state() == "running"

    release = running(Projector(installation.database_url, installation.keys, [broken]))
    with capture_logs() as logged:
        async with release:
            await until_async(stopped)
    found = await standing(installation, "areas")
    assert found.stop is not None
    assert (found.stop.topic, found.stop.aggregate_id) == ("Area.Created", area)
    assert found.stop.position <= end
    assert found.trouble == (
        f"stopped at {found.stop.position} (Area.Created of {area}): ValueError: what is this?"
    )
    async with running(Projector(installation.database_url, installation.keys, [AREAS])):
        await until_async(runs)
        assert (await standing(installation, "areas")).trouble is None


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("DROP TABLE areas", "its table was lost"),
        ("UPDATE projections SET schema_version = 0 WHERE name = 'areas'", "its table was lost"),
        (
            "UPDATE projections SET schema_version = 99 WHERE name = 'areas'",
            f"its table has schema version 99, this release needs {AREAS.schema_version}",
        ),
    ],
)
async def test_the_status_reports_a_table_that_this_release_cannot_read(
    installation: Installation, damage: str, reason: str
) -> None:
    await installation.connection.execute(damage.encode())
    found = await standing(installation, "areas")
    assert (found.state, found.trouble) == ("outdated", reason)


async def test_a_projection_of_another_release_is_not_a_failure(installation: Installation) -> None:
    await installation.connection.execute(
        "INSERT INTO projections (name, schema_version) VALUES ('paintings', 1)"
    )
    found = await standing(installation, "paintings")
    assert (found.state, found.trouble) == ("foreign", None)

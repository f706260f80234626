from uuid import UUID

import pytest

from domain.areas import DeleteArea, RenameArea
from domain.core.values import Text
from domain.event_editing import ChangeEvent, DeleteEvent
from projections.areas import AreaRow, get_area, list_areas
from tests.support.installation import Installation

pytestmark = pytest.mark.anyio


async def counts(installation: Installation) -> dict[UUID, int]:
    await installation.project()
    page = await list_areas(installation.connection, limit=100)
    return {row.id: row.event_count for row in page.rows}


async def test_an_area_counts_its_events(installation: Installation) -> None:
    here, there = await installation.area("Here"), await installation.area("There")
    moving = await installation.event(area_id=here)
    staying = await installation.event(area_id=here)
    assert await counts(installation) == {here: 2, there: 0}
    await installation.give(ChangeEvent(event_id=moving, area_id=there))
    assert await counts(installation) == {here: 1, there: 1}
    await installation.give(
        ChangeEvent(event_id=moving, area_id=None), DeleteEvent(event_id=staying)
    )
    assert await counts(installation) == {here: 0, there: 0}


async def test_an_area_is_renamed_and_deleted(installation: Installation) -> None:
    area = await installation.area("Before")
    await installation.give(RenameArea(area_id=area, name=Text("After")))
    await installation.project()
    assert await get_area(installation.connection, area) == AreaRow(area, "After", 0, 2)
    await installation.give(DeleteArea(area_id=area))
    await installation.project()
    assert await get_area(installation.connection, area) is None
    page = await list_areas(installation.connection)
    assert (page.rows, page.total) == ([], 0)


async def test_areas_are_listed_by_name_a_page_at_a_time(installation: Installation) -> None:
    for name in ("beta", "Alpha", "Gamma 50%", "ÄLPHA"):
        await installation.area(name)
    await installation.project()

    async def names(fragment: str = "", *, limit: int = 10, offset: int = 0) -> list[str]:
        page = await list_areas(
            installation.connection, name_fragment=fragment, limit=limit, offset=offset
        )
        return [row.name for row in page.rows]

    assert await names() == ["Alpha", "ÄLPHA", "beta", "Gamma 50%"]
    assert await names(limit=2, offset=2) == ["beta", "Gamma 50%"]
    assert await names("LPHA") == ["Alpha", "ÄLPHA"]
    assert await names("älp") == ["Alpha", "ÄLPHA"]
    assert await names("0%") == ["Gamma 50%"]
    assert await names("_") == []


async def test_the_longest_name_is_accepted_even_if_folding_makes_it_longer(
    installation: Installation,
) -> None:
    name = "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 255
    area = await installation.area(name)
    event = await installation.event(name, area_id=area)
    await installation.project()
    assert await counts(installation) == {area: 1}
    assert await installation.rows("events")
    assert event is not None

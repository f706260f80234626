"""The visitors of an event as a CSV file."""

from __future__ import annotations

import asyncio
from functools import partial
from uuid import UUID, uuid4

import pytest

from api.database.query import run_query
from api.visitor_export import COLUMNS, exported
from domain.core.values import Email
from tests.api.organizing import organizer_of, refusal, rows_of
from tests.api.serving import OPERATOR, Api
from tests.support.installation import a_registration

pytestmark = pytest.mark.anyio


async def test_a_file_has_the_visitors_in_the_order_in_which_they_came(api: Api) -> None:
    organizer = await organizer_of(api)
    ada, grace, joan = await organizer.join("ada", "grace", "joan")
    await organizer.do(ada, "cancel")
    answer = await organizer.listed("visitors.csv")
    rows = rows_of(answer)
    read = await organizer.read(joan)
    assert rows[2] == {
        "id": joan,
        "full_name": "Joan",
        "email": "joan@example.com",
        "status": "waiting",
        "queue_position": "1",
        "registered_at": read["registered_at"],
        "checked_in_at": "",
    }
    assert [(row["id"], row["status"]) for row in rows] == [
        (ada, "cancelled"),
        (grace, "registered"),
        (joan, "waiting"),
    ]
    assert answer.content.count(b"\r\n") == 4
    waiting = rows_of(await organizer.listed("visitors.csv", status="waiting"))
    assert [row["id"] for row in waiting] == [joan]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="visitors-fair.csv"'


async def test_an_empty_event_has_a_file_with_the_header_only_and_no_event_none(api: Api) -> None:
    organizer = await organizer_of(api)
    answer = await organizer.listed("visitors.csv")
    assert answer.text == ",".join(COLUMNS) + "\r\n"
    organizer.event = str(uuid4())
    path = f"/api/events/{organizer.event}/visitors.csv"
    assert refusal(await organizer.call("GET", path)) == (404, "not-found")


async def test_a_file_of_many_pages_has_everybody_once(api: Api, small_portions: None) -> None:
    """Also those who registered at the same time."""
    organizer = await organizer_of(api, capacity=None)
    names = [f"v{number}" for number in range(7)]
    event = UUID(organizer.event)
    done = await asyncio.gather(
        *(
            api.connections.writer.execute(a_registration(event, f"{name}@example.com"), OPERATOR)
            for name in names
        )
    )
    organizer.position = max(one.position for one in done)
    rows = rows_of(await organizer.listed("visitors.csv"))
    assert [row["email"] for row in rows] == [f"{name}@example.com" for name in names]


async def test_a_person_who_is_erased_during_an_export_is_not_in_later_parts(
    api: Api, small_portions: None
) -> None:
    organizer = await organizer_of(api, capacity=None)
    await organizer.join("ada", "grace", "joan")
    await organizer.listed("visitors")  # includes them
    event, keys = UUID(organizer.event), api.connections.keys
    parts = exported(partial(run_query, api.connections.readers), keys, event)
    assert "Ada" in await anext(parts) + await anext(parts)
    await api.connections.erasures.erase(Email("joan@example.com"), OPERATOR)
    (last,) = [part async for part in parts]
    assert last.split(",")[1:4] == ["", "", "erased"]


async def test_without_the_right_to_personal_data_names_and_emails_are_empty(api: Api) -> None:
    organizer = await organizer_of(api)
    await organizer.join("ada")
    await organizer.listed("visitors")  # includes them
    event, keys = UUID(organizer.event), api.connections.keys
    parts = exported(partial(run_query, api.connections.readers), keys, event, personal=False)
    text = "".join([part async for part in parts])
    assert text.splitlines()[1].split(",")[1:4] == ["", "", "registered"]

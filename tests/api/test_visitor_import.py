"""Visitors imported from CSV files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.csv_files.cells import unescaped
from domain.history.store import last_position
from runtime.embedded.services import Services
from runtime.ports import free_port
from runtime.settings import Settings
from tests.api.organizing import Organizer, organizer_of, refusal, rows_of
from tests.api.serving import Api, api_process
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

HEADER = "full_name,email\n"


async def sent(organizer: Organizer, file: str | bytes, **query: Any) -> httpx.Response:
    return await organizer.call(
        "POST",
        f"/api/events/{organizer.event}/visitors/import",
        content=file,
        params=query,
        headers={"Content-Type": "text/csv"},
    )


def lines(answer: httpx.Response) -> list[tuple[int, str, str | None]]:
    assert answer.status_code == 200, answer.text
    return [
        (line["line"], line["outcome"], line["reason"]) for line in answer.json()["meta"]["lines"]
    ]


def outcomes(answer: httpx.Response) -> list[str]:
    return [outcome for _, outcome, _ in lines(answer)]


def people(count: int) -> str:
    return HEADER + "".join(f"Visitor {i},visitor{i}@example.com\n" for i in range(count))


async def test_other_requests_are_answered_while_a_long_file_is_read(api: Api) -> None:
    organizer = await organizer_of(api, capacity=None)
    others = 10
    importing = asyncio.create_task(sent(organizer, HEADER + ",\n" * 1_500_000))
    answered = 0
    while not importing.done() and answered < others:
        assert (await organizer.listed("visitors", limit=1)).status_code == 200
        answered += 1
    assert answered == others
    assert outcomes(await importing) == []


async def test_a_file_is_imported_and_the_same_file_again_changes_nothing(api: Api) -> None:
    organizer = await organizer_of(api, capacity=None)
    file = people(250)
    first = await sent(organizer, file)
    assert first.json()["data"] == {"registered": 250, "waiting": 0, "already": 0, "refused": 0}
    assert lines(first)[:2] == [(2, "registered", None), (3, "registered", None)]
    listed = await organizer.listed("visitors", limit=1)
    assert listed.json()["pagination"]["total"] == 250
    again = await sent(organizer, file)
    assert again.json()["data"]["already"] == 250
    reason = "This email is registered for the event already"
    assert lines(again)[0] == (2, "already", reason)
    assert again.headers["Event-Position"] == first.headers["Event-Position"]


async def test_lines_get_seats_and_places_in_their_order(api: Api) -> None:
    """Also across portions, and where some of the people have to be looked up."""
    organizer = await organizer_of(api, capacity=2, waiting_list="manual")
    await organizer.join("visitor3")
    file = people(6)
    rehearsed = await sent(organizer, file, dry_run=True, join_waiting_list=True)
    answer = await sent(organizer, file, join_waiting_list=True)
    assert lines(rehearsed) == lines(answer)
    assert outcomes(answer) == ["registered", "waiting", "waiting", "already", "waiting", "waiting"]
    waiting = await organizer.listed("waiting-list")
    names = [v["full_name"] for v in waiting.json()["data"]]
    assert names == ["Visitor 1", "Visitor 2", "Visitor 4", "Visitor 5"]


async def test_a_rehearsal_says_what_the_import_does_and_leaves_no_trace(
    api: Api, small_portions: None
) -> None:
    organizer = await organizer_of(api, capacity=4)
    await organizer.join("visitor1", "visitor7")
    file = people(8) + "Visitor 2,VISITOR2@example.com\n,nobody@example.com\n"
    async with api.connections.primary.connection() as connection:
        before = await last_position(connection)
        rehearsed = await sent(organizer, file, dry_run=True)
        assert await last_position(connection) == before
    answer = await sent(organizer, file)
    assert lines(rehearsed) == lines(answer)
    assert outcomes(answer) == [
        "registered",
        "already",
        "registered",
        "refused",
        "refused",
        "refused",
        "refused",
        "already",
        "already",
        "refused",
    ]
    assert lines(answer)[3] == (5, "refused", "No seat of the event is free")
    assert lines(answer)[-1] == (11, "refused", "full_name must not be empty")
    assert answer.json()["data"] == {"registered": 2, "waiting": 0, "already": 3, "refused": 5}


async def test_visitors_may_be_added_over_the_capacity_and_without_a_message(api: Api) -> None:
    organizer = await organizer_of(api, capacity=1)
    answer = await sent(organizer, people(3), over_capacity=True, notify=False)
    assert outcomes(answer) == ["registered"] * 3
    seats = await organizer.listed("seats")
    assert seats.json()["data"]["over_by"] == 2


async def test_an_exported_file_can_be_imported_for_another_event(api: Api) -> None:
    """With names that a spreadsheet would take for formulas."""
    organizer = await organizer_of(api, capacity=None)
    names = ["=1+1", "'=1+1", "+49 Ada", "-", "@ada", "'t Hooft", "O'Neil; =1", "\uff1d1", '"=1"']
    for number, name in enumerate(names):
        await organizer.add(f"=a{number}", full_name=name)
    exported = await organizer.listed("visitors.csv")
    cells = [cell for row in rows_of(exported) for cell in row.values()]
    assert not [c for c in cells if c.lstrip(' "').startswith(tuple("=+-@\uff1d"))]
    organizer.event = await api.event()
    answer = await sent(organizer, exported.content)
    assert answer.json()["data"]["registered"] == len(names)
    listed = (await organizer.listed("visitors", limit=20)).json()["data"]
    emails = [f"=a{number}@example.com" for number in range(len(names))]
    assert {v["email"]: v["full_name"] for v in listed} == dict(zip(emails, names, strict=True))
    again = rows_of(await organizer.listed("visitors.csv"))
    assert [unescaped(row["full_name"]) for row in again] == names


@pytest.mark.parametrize(
    "file",
    [
        "full_name,email\r\nAda,ada@example.com\r\n",
        "\ufefffull_name;email\nAda;ada@example.com",
        "\ufeffsep=;\r\nfull_name;email\r\nAda;ada@example.com\r\n",
        "sep=,\nfull_name,email\nAda,ada@example.com\n",
        "Email\tFull_Name\tstatus\r\n\r\nada@example.com\tAda\tcancelled\r\n \t\t\r\n",
        '"email","full_name",\r"ada@example.com"," Ada ",\r',
        'registered_at;id;email;full_name\n"a;b";"c\nd";ada@example.com;Ada\n',
    ],
)
async def test_a_file_may_be_written_as_spreadsheets_do(api: Api, file: str) -> None:
    organizer = await organizer_of(api)
    answer = await sent(organizer, file.encode())
    assert outcomes(answer) == ["registered"]
    (visitor,) = (await organizer.listed("visitors")).json()["data"]
    assert (visitor["full_name"], visitor["email"]) == ("Ada", "ada@example.com")


UNREADABLE: dict[str, tuple[bytes, int, list[tuple[str, str]]]] = {
    "nothing": (b"", 422, [("full_name", "is missing"), ("email", "is missing")]),
    "UTF-16": (
        "full_name,email\n".encode("utf-16"),
        400,
        [("line 1", "the file is in UTF-16: save it as CSV in UTF-8")],
    ),
    "Latin-1": (
        f"{HEADER}Ada,ada@example.com\nBjörn,b@example.com\n".encode("latin-1"),
        400,
        [("line 3", "a character is not in UTF-8: save the file as CSV in UTF-8")],
    ),
    "an open quote": (
        f'{HEADER}Ada,ada@example.com\n"Grace,grace@example.com\nJoan,j@example.com\n'.encode(),
        400,
        [("line 3", "a quoted cell begins here, and does not end")],
    ),
    "text after a quote": (
        f'{HEADER}Ada,ada@example.com\n"Grace" H,g@example.com\n'.encode(),
        400,
        [("line 3", "a quoted cell has more text after its last quote")],
    ),
    "a huge cell": (
        f"{HEADER}Ada,ada@example.com\n{'x' * 200_000},g@example.com\n".encode(),
        400,
        [("line 3", "a cell has more than 131,072 characters")],
    ),
    "wrong columns": (
        b"email,name,email\nada@example.com,Ada,a@example.com\n",
        422,
        [
            ("full_name", "is missing"),
            ("email", "is there more than once"),
            ("name", "is not a column: use full_name and email"),
        ],
    ),
    "too many lines": (
        people(10_001).encode(),
        422,
        [("file", "must have at most 10,000 lines of visitors")],
    ),
}


@pytest.mark.parametrize("kind", UNREADABLE)
async def test_nothing_is_imported_from_a_file_that_cannot_be_read(api: Api, kind: str) -> None:
    file, status, wrong = UNREADABLE[kind]
    organizer = await organizer_of(api)
    answer = await sent(organizer, file)
    slug = {400: "malformed-body", 422: "validation"}[status]
    assert refusal(answer) == (status, slug)
    errors = answer.json()["errors"]
    assert [(error["field"], error["messages"][0]) for error in errors] == wrong
    assert (await organizer.listed("visitors")).json()["data"] == []


async def test_a_line_that_cannot_be_imported_is_named_and_the_others_are_imported(
    api: Api,
) -> None:
    organizer = await organizer_of(api, capacity=None)
    file = (
        f"{HEADER}Ada\0,ada@example.com\n,\n,not an email\n"
        f'"Grace\nHopper",grace@example.com\n{"x" * 129},x@example.com\n'
        "Lyn,lyn@example.com,more\nJoan\nMary,mary@example.com\n"
    )
    answer = await sent(organizer, file)
    assert lines(answer) == [
        (2, "refused", "full_name must not contain control characters"),
        (4, "refused", lines(answer)[1][2]),
        (5, "refused", "full_name must not contain control characters"),
        (7, "refused", "full_name must have at most 128 characters, has 129"),
        (8, "refused", "has more cells than the file has columns"),
        (9, "refused", lines(answer)[5][2]),
        (10, "registered", None),
    ]
    assert "full_name must not be empty; email must be an email" in str(lines(answer)[1][2])
    assert "email must be an email" in str(lines(answer)[5][2])


async def test_an_event_that_is_missing_or_cancelled_imports_nobody(api: Api) -> None:
    organizer = await organizer_of(api)
    cancel = await organizer.call("POST", f"/api/events/{organizer.event}/cancel", json={})
    assert cancel.status_code == 200
    for dry_run in (False, True):
        assert refusal(await sent(organizer, HEADER, dry_run=dry_run)) == (409, "event-cancelled")
    organizer.event = str(uuid4())
    assert refusal(await sent(organizer, people(1))) == (404, "not-found")


async def test_a_body_that_is_no_csv_or_too_large_is_refused(api: Api) -> None:
    organizer = await organizer_of(api)
    path = f"/api/events/{organizer.event}/visitors/import"
    answer = await organizer.call("POST", path, json=[])
    assert refusal(answer) == (415, "unsupported-media-type")
    larger_than_json = HEADER + "," * 2 * 1024 * 1024 + "\n"
    assert (await sent(organizer, larger_than_json)).status_code == 200
    too_large = HEADER + "x" * 4 * 1024 * 1024
    assert refusal(await sent(organizer, too_large)) == (413, "payload-too-large")


async def test_two_imports_at_once_sell_no_seat_twice_and_add_nobody_twice(
    api: Api, small_portions: None
) -> None:
    organizer = await organizer_of(api, capacity=7)
    file = people(12)
    answers = await asyncio.gather(*(sent(organizer, file) for _ in range(3)))
    registered = sum(answer.json()["data"]["registered"] for answer in answers)
    assert registered == 7
    seats = await organizer.listed("seats")
    assert (seats.json()["data"]["taken"], seats.json()["data"]["over_by"]) == (7, 0)


async def test_an_import_with_an_idempotency_key_gets_the_same_response_again(api: Api) -> None:
    organizer = await organizer_of(api, capacity=None)
    organizer.headers |= {"Idempotency-Key": "import-1"}
    first = await sent(organizer, people(3))
    again = await sent(organizer, people(3))
    assert outcomes(again) == outcomes(first) == ["registered"] * 3
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Event-Position"] == first.headers["Event-Position"]
    assert refusal(await sent(organizer, people(2))) == (422, "idempotency-key-reused")


async def test_the_same_file_completes_an_import_whose_process_was_killed(
    api: Api, settings: Settings, services: Services
) -> None:
    organizer = await organizer_of(api, capacity=None)
    path = f"/api/events/{organizer.event}/visitors/import"
    headers = organizer.headers | {"Content-Type": "text/csv"}

    async def taken() -> int:
        return int((await organizer.listed("seats")).json()["data"]["taken"])

    with api_process(settings, services, port := free_port()) as process:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as other:
            importing = asyncio.create_task(
                other.post(path, content=people(5_000), headers=headers)
            )
            await until_async(lambda: _is_more_than(0, taken))
            process.kill()
            with pytest.raises(httpx.TransportError):
                await importing
    before = await taken()
    assert 0 < before < 5_000
    again = await sent(organizer, people(5_000))
    assert again.json()["data"]["registered"] == 5_000 - before
    assert again.json()["data"]["already"] == before
    assert await taken() == 5_000


async def _is_more_than(least: int, count: Callable[[], Awaitable[int]]) -> bool:
    return await count() > least

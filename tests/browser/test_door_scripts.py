"""The parts of the door page that decide something, run in the browser without the page."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from domain.check_ins import Gate
from domain.tickets import ticket_hash, ticket_of
from tests.api.serving import Api
from tests.browser.door_phones import Run

pytestmark = pytest.mark.anyio


async def test_a_ticket_is_read_as_the_server_reads_it(run: Run, site: Api) -> None:
    for _ in range(20):
        event, visitor = uuid4(), uuid4()
        ticket = ticket_of(site.connections.keys, event, visitor, 3, 2)
        assert await run("tickets.js", "isTicket", f" {ticket.lower()}\n")
        assert await run("tickets.js", "hashOf", f" {ticket.lower()}\n") == ticket_hash(ticket)
        assert await run("tickets.js", "isOfEvent", ticket, str(event))
        other = str(event)[:-1] + ("0" if str(event)[-1] != "0" else "1")
        assert not await run("tickets.js", "isOfEvent", ticket, other)
    for text in ("", "A" * 47, "A" * 49, "1" * 48, "https://example.org/r/abc", "Ä" * 48):
        assert not await run("tickets.js", "isTicket", text), text


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (" North\tEast ", "North East"),
        ("a\x00\u2028b", "a b"),
        ("👨\u200d👩 ß", "👨\u200d👩 ß"),
        ("\u200b \u3164", ""),
        ("", ""),
    ],
)
async def test_the_name_of_a_gate_is_one_that_the_server_takes(
    run: Run, typed: str, name: str
) -> None:
    assert await run("scans.js", "gateOf", typed) == name
    assert name == "" or Gate.parse(name) == name


ADA = {"full_name": "Ada", "status": "registered"}


@pytest.mark.parametrize(
    ("known", "former", "entry", "colour", "reason"),
    [
        (ADA, False, None, "green", None),
        (None, False, None, "amber", "Not in the list"),
        (ADA, True, None, "red", "replaced by a newer one"),
        (ADA, False, {"at": "2030-05-17T09:00:00Z", "gate": "North"}, "red", "Already inside"),
        (None, False, {"at": "2030-05-17T09:00:00Z"}, "red", "Already inside"),
        (ADA | {"status": "cancelled"}, False, None, "red", "was cancelled"),
        (ADA | {"status": "waiting"}, False, None, "red", "waiting list"),
        (ADA | {"status": "erased", "full_name": None}, False, None, "red", "erased"),
        (ADA | {"status": "of a later release"}, False, None, "red", "not registered"),
    ],
)
async def test_a_phone_alone_lets_in_only_whom_its_list_has(
    run: Run, known: Any, former: bool, entry: Any, colour: str, reason: str | None
) -> None:
    facts = {"known": known, "former": former, "entry": entry}
    verdict = await run("verdicts.js", "decided", facts)
    assert verdict["colour"] == colour
    assert (reason is None) == ("reason" not in verdict)
    assert reason is None or reason in verdict["reason"]


async def test_names_are_found_by_the_beginnings_of_their_words(run: Run) -> None:
    names = ["Jürgen Müller", "Ada Lovelace", "Åse Løvlund", "Lovis von Ade"]
    visitors = [{"full_name": name} for name in [*names, None]]

    async def found(text: str) -> list[str]:
        result = await run("names.js", "search", visitors, text)
        return [visitor["full_name"] for visitor in result["found"]]

    assert await found("muller j") == ["Jürgen Müller"]
    assert await found("LOV AD") == ["Ada Lovelace", "Lovis von Ade"]
    assert await found("ase") == ["Åse Løvlund"]
    assert await found("vela") == []
    assert await found("  ") == []
    many = [{"full_name": f"Ada {number}"} for number in range(30)]
    result = await run("names.js", "search", many, "ada")
    assert (len(result["found"]), result["more"]) == (8, True)


async def test_a_wrong_clock_is_noticed_and_a_slow_answer_is_none(run: Run) -> None:
    now = 1_900_000_000_000
    date = "Sun, 17 Mar 2030 17:46:40 GMT"  # the same
    for sent, received, off_by in (
        (now, now + 200, 0),
        (now - 600_000, now - 600_000, 600_500),
        (now + 600_000, now + 601_000, -600_000),
    ):
        await run("clock.js", "compare", date, sent, received)
        assert await run("clock.js", "difference") == pytest.approx(off_by, abs=1)
        complaint = await run("clock.js", "complaint")
        assert (complaint is None) == (off_by == 0)
        assert not off_by or f"10 min {'slow' if off_by > 0 else 'fast'}" in complaint
    await run("clock.js", "compare", None, now, now)
    assert await run("clock.js", "difference") == pytest.approx(-600_000, abs=1)

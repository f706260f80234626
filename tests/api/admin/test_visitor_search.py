"""Visitors of one event are found by any part of their name or email."""

from __future__ import annotations

import pytest

from projections import visitor_search
from tests.api.admin.panel import Panel
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

VISITORS = "/admin/visitors/"


async def test_any_part_of_a_name_or_email_is_found_without_accents_at_one_event(
    api: Api, organizer: Panel
) -> None:
    fair = await api.event()
    for name, email in (
        ("Zo\u00eb \u017di\u017eek", "zoe@caf\u00e9.example"),
        ("Ada", "ada@a.example"),
    ):
        await api.http.post(
            f"/api/events/{fair}/register", json={"full_name": name, "email": email}
        )
    await api.settled()
    for text in ("ize", "OE ", "e@ca", "\u017ei\u017e"):
        page = await organizer.open(f"{VISITORS}?event={fair}&q={text}")
        assert [row[0] for row in page.rows] == ["Zo\u00eb \u017di\u017eek"], text
        assert "1 visitor" in page.text
    page = await organizer.open(f"{VISITORS}?event={fair}&q=nobody")
    assert "No name or email at this event contains this text." in page.text
    page = await organizer.open(f"{VISITORS}?q=ize")
    assert page.rows == []
    assert "the middle of a word cannot be searched in all events" in page.text


async def test_a_larger_event_is_searched_by_the_beginnings_of_words_and_says_so(
    api: Api, organizer: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitor_search, "MOST_READ", 1)
    fair = await api.event()
    for email in ("ada@a.example", "ben@a.example"):
        await api.register(fair, email)
    await api.settled()
    page = await organizer.open(f"{VISITORS}?event={fair}&q=velace")
    assert page.rows == []
    assert "the middle of a word cannot be searched in an event with more than" in page.text
    assert len((await organizer.open(f"{VISITORS}?event={fair}&q=love")).rows) == 2

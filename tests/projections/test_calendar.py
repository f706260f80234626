"""What calendar programs read of an event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import icalendar
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.times import parse_moment
from domain.core.values import Description, Invalid, StoredText
from projections.calendar import Attendee, CalendarEvent, calendar, invitation
from tests.support.provider import conferences

BEGINS = datetime(2030, 5, 17, 9, tzinfo=UTC)
EVENT = CalendarEvent(
    id=UUID(int=1),
    name="PyCon",
    begins=BEGINS,
    sequence=3,
    changed_at=datetime(2030, 1, 2, 3, 4, 5, 678, UTC),
)


def published(event: CalendarEvent = EVENT, **options: Any) -> bytes:
    return calendar([event], **{"host": "example.com", "pages": None} | options)


def entry_in(file: bytes) -> Any:
    (entry,) = icalendar.Calendar.from_ical(file).walk("VEVENT")
    return entry


def test_a_published_event_says_when_and_where_it_is() -> None:
    event = msgspec.structs.replace(
        EVENT,
        ends=BEGINS + timedelta(hours=8),
        location="Great Hall, 2nd floor",
        description="Talks;\nand sprints",
    )
    assert published(event, pages="https://example.com/events").split(b"\r\n") == [
        b"BEGIN:VCALENDAR",
        b"VERSION:2.0",
        b"PRODID:-//Events-Face//Events-Face//EN",
        b"CALSCALE:GREGORIAN",
        b"METHOD:PUBLISH",
        b"BEGIN:VEVENT",
        b"UID:00000000-0000-0000-0000-000000000001@example.com",
        b"SEQUENCE:3",
        b"DTSTAMP:20300102T030405Z",
        b"LAST-MODIFIED:20300102T030405Z",
        b"DTSTART:20300517T090000Z",
        b"DTEND:20300517T170000Z",
        b"SUMMARY:PyCon",
        rb"LOCATION:Great Hall\, 2nd floor",
        rb"DESCRIPTION:Talks\;\nand sprints",
        b"STATUS:CONFIRMED",
        b"URL:https://example.com/events/00000000-0000-0000-0000-000000000001",
        b"END:VEVENT",
        b"END:VCALENDAR",
        b"",
    ]


def test_a_cancelled_event_is_published_as_cancelled() -> None:
    assert (
        entry_in(published(msgspec.structs.replace(EVENT, cancelled=True)))["STATUS"] == "CANCELLED"
    )


@pytest.mark.parametrize("ends", [None, BEGINS + timedelta(milliseconds=1)])
def test_an_event_without_a_known_end_has_none(ends: datetime | None) -> None:
    """Calendars have whole seconds, and an end after the beginning."""
    assert "DTEND" not in entry_in(published(msgspec.structs.replace(EVENT, ends=ends)))


def test_times_of_other_zones_are_written_in_utc() -> None:
    local = datetime.fromisoformat("2030-05-17T11:00:00+02:00")
    assert b"DTSTART:20300517T090000Z\r\n" in published(
        msgspec.structs.replace(EVENT, begins=local)
    )


def test_a_year_has_four_digits() -> None:
    event = msgspec.structs.replace(EVENT, begins=datetime(12, 1, 1, tzinfo=UTC))
    assert b"\r\nDTSTART:00120101T000000Z\r\n" in published(event)


def test_a_calendar_to_be_followed_says_its_name_and_how_often_to_read_it() -> None:
    lines = published(name="Events at example.com").split(b"\r\n")
    assert {
        b"NAME:Events at example.com",
        b"X-WR-CALNAME:Events at example.com",
        b"REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        b"X-PUBLISHED-TTL:PT1H",
    } <= set(lines)


def test_a_calendar_may_have_no_event() -> None:
    assert not icalendar.Calendar.from_ical(calendar([], host="h", pages=None)).walk("VEVENT")


def _accepted(text: str, kind: type[StoredText] | type[Description]) -> str | None:
    try:
        return kind.parse(text)
    except Invalid:
        return None


@given(
    name=st.text(min_size=1).map(lambda text: _accepted(text, StoredText)).filter(bool),
    description=st.text()
    .map(lambda text: _accepted(text, Description))
    .filter(lambda x: x is not None),
)
def test_any_name_and_description_comes_back(name: str, description: str) -> None:
    event = msgspec.structs.replace(EVENT, name=name, location=name, description=description)
    file = published(event)
    assert all(len(line) <= 75 for line in file.split(b"\r\n"))
    assert all(line.decode() for line in file.removesuffix(b"\r\n").split(b"\r\n"))
    entry = entry_in(file)
    plain = description.replace("\u2028", "\n").replace("\u2029", "\n")
    assert str(entry["SUMMARY"]) == str(entry["LOCATION"]) == name
    assert str(entry.get("DESCRIPTION", "")) == plain


@given(st.text(alphabet=st.characters(max_codepoint=0x2029)))
def test_no_text_adds_a_line(text: str) -> None:
    """Not even one from before texts were checked."""
    event = msgspec.structs.replace(EVENT, name=text, location=text, description=text)
    without_text = msgspec.structs.replace(EVENT, name="", location="x", description="x")
    unfolded = [file.replace(b"\r\n ", b"") for file in (published(event), published(without_text))]
    assert unfolded[0].count(b"\r\n") <= unfolded[1].count(b"\r\n")
    assert len(published(event).decode().splitlines()) == published(event).count(b"\r\n")


def invited(
    method: Literal["REQUEST", "CANCEL"], event: CalendarEvent = EVENT, episode: int = 1
) -> bytes:
    attendee = Attendee("ada@example.com", episode)
    return invitation(
        event,
        attendee,
        method=method,
        host="example.com",
        organizer="events@example.com",
        organizer_name='Events "Face", Inc',
    )


def test_an_invitation_is_accepted_already() -> None:
    file = invited("REQUEST")
    assert b"\r\nMETHOD:REQUEST\r\n" in file
    entry = entry_in(file)
    assert entry["ORGANIZER"] == "mailto:events@example.com"
    assert entry["ORGANIZER"].params["CN"] == 'Events "Face", Inc'
    attendee = entry["ATTENDEE"]
    assert attendee == "mailto:ada@example.com"
    assert dict(attendee.params) == {
        "CUTYPE": "INDIVIDUAL",
        "ROLE": "REQ-PARTICIPANT",
        "PARTSTAT": "ACCEPTED",
        "RSVP": "FALSE",
    }
    assert entry["STATUS"] == "CONFIRMED"
    assert (entry["UID"], entry["SEQUENCE"]) == (entry_in(published())["UID"], 3)


def test_a_cancelled_event_is_taken_out_with_its_own_sequence() -> None:
    entry = entry_in(invited("CANCEL", msgspec.structs.replace(EVENT, sequence=4, cancelled=True)))
    assert (entry["STATUS"], entry["SEQUENCE"]) == ("CANCELLED", 4)


def test_the_sequence_increases_with_each_message_to_a_visitor() -> None:
    revised = msgspec.structs.replace(EVENT, sequence=EVENT.sequence + 1)
    files = [
        invited("REQUEST"),
        invited("CANCEL"),
        invited("REQUEST", episode=2),
        invited("REQUEST", revised, episode=2),
        invited("CANCEL", revised, episode=2),
        invited("REQUEST", revised, episode=3),
    ]
    sequences = [entry_in(file)["SEQUENCE"] for file in files]
    assert sequences == sorted(set(sequences))
    assert {entry_in(file)["UID"] for file in files} == {entry_in(published())["UID"]}


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("a+b@example.com", "mailto:a+b@example.com"),
        ("100%@example.com", "mailto:100%25@example.com"),
        ("ü@exämple.com", "mailto:%C3%BC@ex%C3%A4mple.com"),
    ],
)
def test_an_address_is_written_as_a_uri(address: str, written: str) -> None:
    file = invitation(
        EVENT, Attendee(address, 1), method="REQUEST", host="h", organizer="events@example.com"
    )
    assert entry_in(file)["ATTENDEE"] == written


def test_every_conference_is_an_entry() -> None:
    events = [
        CalendarEvent(
            id=UUID(item["id"]),
            name=item["name"],
            begins=parse_moment(item["event_datetime"]),
            sequence=0,
            changed_at=BEGINS,
        )
        for item in conferences()
    ]
    file = calendar(events, host="example.com", pages="https://example.com/events")
    entries: list[Any] = icalendar.Calendar.from_ical(file).walk("VEVENT")
    assert [(entry["SUMMARY"], entry["DTSTART"].dt) for entry in entries] == [
        (event.name, event.begins) for event in events
    ]

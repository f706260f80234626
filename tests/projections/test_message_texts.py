"""The whole text of each kind of message."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from projections.message_texts import EventFacts, Facts, Kind, content_of

FAIR = EventFacts("Spring Fair", datetime(2030, 5, 4, 16, tzinfo=UTC), "Europe/Berlin")

LINK = "https://events.example.com/r/token"

DEADLINE = datetime(2030, 5, 2, 7, 30, tzinfo=UTC)

TEXTS: list[tuple[Kind, Facts, str]] = [
    (
        "registered",
        Facts(code="0042"),
        """\
Your confirmation code is 0042

You are registered for this event.

Spring Fair
Saturday, 4 May 2030, 18:00 (Europe/Berlin)

To see or cancel your registration: https://events.example.com/r/token""",
    ),
    (
        "waiting",
        Facts(place=3),
        """\
You are on the waiting list of this event. You are number 3 in line. You get a message as soon as \
there is a seat for you.

Spring Fair
Saturday, 4 May 2030, 18:00 (Europe/Berlin)

To see your place in line, or to leave it: https://events.example.com/r/token""",
    ),
    (
        "waiting",
        Facts(),
        """\
You are on the waiting list of this event. You get a message as soon as there is a seat for you.

Spring Fair
Saturday, 4 May 2030, 18:00 (Europe/Berlin)

To see your place in line, or to leave it: https://events.example.com/r/token""",
    ),
    (
        "confirm",
        Facts(code="1234", confirm_by=DEADLINE),
        """\
Your confirmation code is 1234

A seat of this event is reserved for you. Please confirm your email address by Thursday, 2 May \
2030, 09:30 (Europe/Berlin); after that, the seat goes to somebody else.

Spring Fair
Saturday, 4 May 2030, 18:00 (Europe/Berlin)

To confirm or cancel: https://events.example.com/r/token""",
    ),
    (
        "promoted",
        Facts(code="1234"),
        """\
Your confirmation code is 1234

You got a seat: you were on the waiting list, and now you are registered.

Spring Fair
Saturday, 4 May 2030, 18:00 (Europe/Berlin)

To see or cancel your registration: https://events.example.com/r/token""",
    ),
    (
        "cancelled",
        Facts(reason="You asked for it by phone."),
        """\
Your registration for this event is cancelled.

Reason: You asked for it by phone.

Spring Fair
Saturday, 4 May 2030, 18:00 (Europe/Berlin)""",
    ),
    (
        "cancelled",
        Facts(waited=True),
        """\
You are no longer on the waiting list of this event.

Spring Fair
Saturday, 4 May 2030, 18:00 (Europe/Berlin)""",
    ),
    (
        "changed",
        Facts(area="Great Hall"),
        """\
The time or the place of this event has changed. Now it takes place:

Spring Fair
Saturday, 4 May 2030, 18:00 (Europe/Berlin)
Great Hall

To see or cancel your registration: https://events.example.com/r/token""",
    ),
    (
        "event_cancelled",
        Facts(reason="A storm is coming."),
        """\
This event is cancelled. It does not take place.

Reason: A storm is coming.

Spring Fair
Saturday, 4 May 2030, 18:00 (Europe/Berlin)

To see or cancel your registration: https://events.example.com/r/token""",
    ),
    (
        "event_reinstated",
        Facts(),
        """\
This event was cancelled, but it takes place after all. You need not register again.

Spring Fair
Saturday, 4 May 2030, 18:00 (Europe/Berlin)

To see or cancel your registration: https://events.example.com/r/token""",
    ),
    (
        "event_reinstated",
        Facts(waited=True),
        """\
This event was cancelled, but it takes place after all. You keep your place on the waiting list.

Spring Fair
Saturday, 4 May 2030, 18:00 (Europe/Berlin)

To see your place in line, or to leave it: https://events.example.com/r/token""",
    ),
    (
        "event_reinstated",
        Facts(confirm_by=DEADLINE),
        """\
This event was cancelled, but it takes place after all. Your seat is still reserved for you. \
Please confirm your email address by Thursday, 2 May 2030, 09:30 (Europe/Berlin); after that, the \
seat goes to somebody else.

Spring Fair
Saturday, 4 May 2030, 18:00 (Europe/Berlin)

To confirm or cancel: https://events.example.com/r/token""",
    ),
    (
        "reminder",
        Facts(),
        """\
This event begins soon, and you are registered for it.

Spring Fair
Saturday, 4 May 2030, 18:00 (Europe/Berlin)

To see or cancel your registration: https://events.example.com/r/token""",
    ),
]


@pytest.mark.parametrize(("kind", "facts", "text"), TEXTS)
def test_each_kind_of_message_has_this_text(kind: Kind, facts: Facts, text: str) -> None:
    assert content_of(kind, facts, FAIR, LINK).text == text


def test_other_messages_about_a_cancelled_event_say_that_it_is_cancelled() -> None:
    cancelled = msgspec.structs.replace(FAIR, cancelled=True)
    for kind, facts, text in TEXTS:
        assert content_of(kind, facts, cancelled).text.count("This event is cancelled.") == 1, text


def test_at_its_end_each_message_leads_to_the_page_of_the_event() -> None:
    page = "https://events.example.com/events/1"
    for kind, facts, text in TEXTS:
        with_page = content_of(kind, facts, FAIR, LINK, page=page).text
        assert with_page == f"{text}\n\nPage of the event: {page}"


def test_without_a_known_address_there_is_no_link() -> None:
    for kind, facts, text in TEXTS:
        without = text.replace(f"\n\n{text.splitlines()[-1]}", "") if LINK in text else text
        assert content_of(kind, facts, FAIR).text == without


@pytest.mark.parametrize(
    ("begins", "zone", "shown"),
    [
        (
            datetime(2030, 1, 1, 23, 30, tzinfo=UTC),
            "Asia/Tokyo",
            "Wednesday, 2 January 2030, 08:30 (Asia/Tokyo)",
        ),
        (
            datetime(9999, 12, 31, 23, tzinfo=UTC),
            "Asia/Tokyo",
            "Friday, 31 December 9999, 23:00 (UTC)",
        ),
        (
            datetime(2030, 1, 1, tzinfo=UTC),
            "Atlantis/Capital",
            "Tuesday, 1 January 2030, 00:00 (UTC)",
        ),
    ],
)
def test_a_time_is_shown_in_the_zone_of_the_event(begins: datetime, zone: str, shown: str) -> None:
    content = content_of("reminder", Facts(), EventFacts("Fair", begins, zone))
    assert content.when == shown
    assert content.text.endswith(f"Fair\n{shown}")


@pytest.mark.parametrize(
    ("ends", "shown"),
    [
        (
            datetime(2030, 5, 4, 18, 30, tzinfo=UTC),
            "Saturday, 4 May 2030, 18:00 to 20:30 (Europe/Berlin)",
        ),
        (
            datetime(2030, 5, 5, 0, 30, tzinfo=UTC),
            "Saturday, 4 May 2030, 18:00 to Sunday, 5 May 2030, 02:30 (Europe/Berlin)",
        ),
    ],
)
def test_the_end_of_an_event_is_shown_where_it_is_known(ends: datetime, shown: str) -> None:
    event = msgspec.structs.replace(FAIR, ends=ends)
    assert content_of("reminder", Facts(), event).when == shown


def test_the_place_is_shown_as_it_was_announced() -> None:
    event = msgspec.structs.replace(FAIR, area="Great Hall")
    assert content_of("reminder", Facts(), event).where == "Great Hall"
    assert content_of("changed", Facts(area="Small Hall"), event).where == "Small Hall"

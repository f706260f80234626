"""What a mail consists of, as programs that show mails read it."""

from __future__ import annotations

from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from typing import Any

import icalendar
import msgspec
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st

from projections.message_texts import Facts, Kind
from runtime.mail import Mailbox
from tests.support.messages import FAIR, LINK, outgoing
from tests.support.pictures import grey_picture
from workers.delivery.mail.composing import CannotCompose, compose
from workers.delivery.sender import Outgoing

SENDER = Mailbox("Town Hall", "events@example.org")

TICKET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOP"

FOOTNOTE = "You get this mail because your address was given for a registration for this event."

KINDS: list[tuple[Kind, Facts]] = [
    ("registered", Facts(code="0042")),
    ("waiting", Facts(place=3)),
    ("confirm", Facts(code="1234")),
    ("promoted", Facts(code="1234")),
    ("cancelled", Facts(reason="You asked for it.")),
    ("cancelled", Facts(waited=True)),
    ("changed", Facts(area="Great Hall")),
    ("event_cancelled", Facts(reason="A storm is coming.")),
    ("event_reinstated", Facts()),
    ("event_reinstated", Facts(waited=True)),
    ("reminder", Facts()),
]


def parsed(mail: Outgoing, sender: Mailbox = SENDER) -> EmailMessage:
    return message_from_bytes(compose(mail, sender).content, policy=default)


def part(mail: EmailMessage, content_type: str) -> EmailMessage:
    (found,) = [each for each in mail.walk() if each.get_content_type() == content_type]
    return found


def text_of(mail: EmailMessage, content_type: str) -> str:
    return str(part(mail, content_type).get_content()).replace("\r\n", "\n")


def bytes_of(found: EmailMessage) -> bytes:
    content: Any = found.get_payload(decode=True)
    return bytes(content)


def has_part(mail: EmailMessage, content_type: str) -> bool:
    return any(each.get_content_type() == content_type for each in mail.walk())


@pytest.mark.parametrize(("kind", "facts"), KINDS)
def test_each_kind_is_text_and_html_of_the_same_content(kind: Kind, facts: Facts) -> None:
    mail = outgoing(kind=kind, facts=facts)
    content = mail.message.content(LINK)
    shown = parsed(mail)
    assert [each.defects for each in shown.walk() if each.defects] == []
    assert shown["Subject"] == content.subject

    text = text_of(shown, "text/plain")
    assert text == f"{content.text}\n\n-- \n{FOOTNOTE}\n"
    html = text_of(shown, "text/html")
    for said in (content.heading, *content.paragraphs, content.event, content.when, FOOTNOTE):
        assert said in html
    url = content.link.url if content.link else None
    for perhaps in (content.code, content.where, url):
        assert perhaps is None or perhaps in html


def test_a_mail_says_who_made_it_and_is_the_same_in_each_attempt() -> None:
    mail = outgoing(ticket=TICKET)
    assert compose(mail, SENDER) == compose(mail, SENDER)
    shown = parsed(mail)
    assert shown["Message-ID"] == f"<{mail.id}@example.org>"
    assert shown["Date"] == "Mon, 01 Apr 2030 12:00:00 +0000"
    assert shown["From"] == "Town Hall <events@example.org>"
    assert shown["Auto-Submitted"] == "auto-generated"
    assert shown["X-Auto-Response-Suppress"] == "All"
    assert shown["Content-Language"] == "en"


def test_only_a_reminder_says_how_to_get_no_more() -> None:
    said = {kind: parsed(outgoing(kind=kind, facts=facts)) for kind, facts in KINDS}
    assert {kind for kind, mail in said.items() if mail["List-Unsubscribe"]} == {"reminder"}
    assert said["reminder"]["List-Unsubscribe"] == f"<{LINK}>"


def test_the_ticket_is_a_picture_in_the_mail_that_scanners_read() -> None:
    shown = parsed(outgoing(ticket=TICKET))
    picture = part(shown, "image/png")
    assert picture["Content-ID"] == "<ticket@events-face>"
    assert 'src="cid:ticket@events-face"' in text_of(shown, "text/html")
    (code,) = zxingcpp.read_barcodes(grey_picture(picture.get_content()))
    assert (code.text, code.format) == (TICKET, zxingcpp.BarcodeFormat.QRCode)


def test_nothing_is_loaded_from_elsewhere() -> None:
    html = text_of(parsed(outgoing(ticket=TICKET)), "text/html")
    assert html.count("http") == html.count(LINK) == 1


def test_the_name_of_the_event_leads_to_its_page() -> None:
    page = "https://events.example.com/events/1"
    mail = parsed(msgspec.structs.replace(outgoing(), page=page))
    assert f'<a class="strong" href="{page}"' in text_of(mail, "text/html")
    assert f"Page of the event: {page}" in text_of(mail, "text/plain")


CALENDAR: list[tuple[Kind, Facts, dict[str, Any], str]] = [
    ("registered", Facts(code="0042"), {}, "REQUEST"),
    ("promoted", Facts(code="0042"), {}, "REQUEST"),
    ("changed", Facts(), {}, "REQUEST"),
    ("event_reinstated", Facts(), {}, "REQUEST"),
    ("cancelled", Facts(), {}, "CANCEL"),
    ("event_cancelled", Facts(), {"cancelled": True}, "CANCEL"),
]


@pytest.mark.parametrize(("kind", "facts", "event", "method"), CALENDAR)
def test_who_has_a_seat_gets_a_calendar_entry(
    kind: Kind, facts: Facts, event: dict[str, Any], method: str
) -> None:
    event_facts = msgspec.structs.replace(FAIR, area="Great Hall", **event)
    shown = parsed(outgoing(kind=kind, facts=facts, event=event_facts))
    sent = part(shown, "text/calendar")
    assert sent["Content-Type"].params["method"] == method
    assert bytes_of(part(shown, "application/ics")) == bytes_of(sent)

    calendar: Any = icalendar.Calendar.from_ical(bytes_of(sent))
    assert calendar["METHOD"] == method
    (entry,) = calendar.walk("VEVENT")
    assert entry["UID"] == f"{outgoing().message.entry.id}@events.example.com"
    assert entry["SEQUENCE"] == (4 if kind == "cancelled" else 3)
    assert entry["SUMMARY"] == "Spring Fair"
    assert entry["LOCATION"] == "Great Hall"
    assert entry["DTSTART"].dt == FAIR.begins
    assert entry["STATUS"] == ("CANCELLED" if method == "CANCEL" else "CONFIRMED")
    assert entry["ORGANIZER"] == "mailto:events@example.org"
    assert entry["ATTENDEE"] == "mailto:ada@example.org"
    assert entry["ATTENDEE"].params["PARTSTAT"] == "ACCEPTED"


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        ("waiting", Facts(place=1)),
        ("reminder", Facts()),
        ("confirm", Facts(code="1234")),
        ("cancelled", Facts(waited=True)),
        ("changed", Facts(waited=True)),
        ("event_cancelled", Facts(waited=True)),
        ("event_reinstated", Facts(waited=True)),
    ],
)
def test_who_has_no_seat_or_the_entry_already_gets_none(kind: Kind, facts: Facts) -> None:
    assert not has_part(parsed(outgoing(kind=kind, facts=facts)), "text/calendar")


HOSTILE = "Fair\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script>\0\u2028.\n.\r\n"


def test_nothing_that_people_write_becomes_a_header_or_markup() -> None:
    event = msgspec.structs.replace(FAIR, name=HOSTILE, area=HOSTILE)
    mail = outgoing(event=event, facts=Facts(reason=HOSTILE), kind="cancelled")
    shown = parsed(mail, Mailbox(HOSTILE, "events@example.org"))
    assert shown["Bcc"] is None
    assert "\n" not in shown["Subject"]
    assert "<script>" not in text_of(shown, "text/html")


@pytest.mark.parametrize(
    "name",
    [
        "=?utf-8?q?A=0D=0ABcc:_ada@example.com?=",
        "=?utf-8?b?!?= and more",
        "名 " * 100 + "名",
        "Ü" * 255,
        "\N{PARTY POPPER}" * 255,
        "a" * 120 + " ß " + "b" * 120,
    ],
)
def test_names_are_read_as_they_were_written(name: str) -> None:
    event = msgspec.structs.replace(FAIR, name=name)
    sender = Mailbox(name, "events@example.org")
    mail = parsed(outgoing(event=event), sender)
    assert mail["Subject"] == f"You are registered: {name}"
    assert not mail["Subject"].defects
    raw = message_from_bytes(compose(outgoing(event=event), sender).content)["From"]
    assert str(make_header(decode_header(raw))) == f"{name} <events@example.org>"


@given(name=st.text(min_size=1, max_size=300), reason=st.text(max_size=1_000))
def test_lines_are_short_ascii_and_end_as_mail_servers_expect(name: str, reason: str) -> None:
    event = msgspec.structs.replace(FAIR, name=name)
    content = compose(outgoing(event=event, facts=Facts(reason=reason)), SENDER).content
    assert content.isascii()
    assert b"\0" not in content
    lines = content.split(b"\r\n")
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert max(map(len, lines)) <= 998
    assert content.split(b"\r\n\r\n")[0].count(b"\r\nSubject: ") == 1


@pytest.mark.parametrize(
    "email", ["ada@example.org\r\nBcc: eve@example.org", "a b@example.org", "<ada@example.org>"]
)
def test_an_address_that_would_change_a_header_gets_no_mail(email: str) -> None:
    with pytest.raises(CannotCompose):
        compose(outgoing(email), SENDER)

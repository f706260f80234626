"""The mail of a message: plain text and HTML of the same content.

A mail is the same in each attempt: its id and its date are those of the message. All of it is
encoded as base64 or quoted-printable, so its lines are short, and no server needs to change them.
"""

from __future__ import annotations

import re
from email.headerregistry import Address
from email.utils import format_datetime

import msgspec

from projections.calendar import Attendee, Method, invitation
from projections.message_texts import Content
from projections.messages import Message
from runtime.mail import Mailbox, ascii_domain
from workers.delivery.mail import mime
from workers.delivery.mail.html import html_of
from workers.delivery.mail.qr_code import QR_CODE_ID, qr_code
from workers.delivery.sender import Outgoing

_ADDRESS = re.compile(r"[^\s<>@\x00-\x1f\x7f]+@[^\s<>@\x00-\x1f\x7f]+")

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class CannotCompose(Exception):
    """No mail can be written to this address"""


class Mail(msgspec.Struct, frozen=True):
    """Ready to be sent."""

    recipient: str
    """Its domain in A-labels."""
    content: bytes

    @property
    def needs_smtputf8(self) -> bool:
        return not self.recipient.isascii()


def compose(outgoing: Outgoing, sender: Mailbox, pages: str | None = None) -> Mail:
    """`pages` is the address under which each event has a page. Raises `CannotCompose`."""
    recipient = _recipient(outgoing.email)
    content = outgoing.message.content(outgoing.link, outgoing.page)
    footnote = content.locale.gettext(
        "You get this mail because your address was given for a registration for this event."
    )
    html = mime.text("html", html_of(content, footnote, QR_CODE_ID if outgoing.ticket else None))
    if outgoing.ticket:
        html = mime.multipart("related", "picture", [html, _picture(outgoing.ticket)])
    parts = [mime.text("plain", f"{content.text}\n\n-- \n{footnote}\n"), html]
    if method := outgoing.message.calendar_method:
        entry = _calendar_entry(outgoing.message, method, recipient, sender, pages)
        parts.append(_shown(entry, method))
        alternatives = mime.multipart("alternative", "alternatives", parts)
        body = mime.multipart("mixed", "mail", [alternatives, _attached(entry)])
    else:
        body = mime.multipart("alternative", "alternatives", parts)
    return Mail(recipient, _headers(outgoing, content, sender, recipient) + body)


def _recipient(email: str) -> str:
    if not _ADDRESS.fullmatch(email):
        raise CannotCompose("the address has characters that mails cannot have")
    local, _, domain = email.rpartition("@")
    try:
        return f"{local}@{ascii_domain(domain)}"
    except ValueError:
        raise CannotCompose("the domain of the address cannot be written in A-labels") from None


def _headers(outgoing: Outgoing, content: Content, sender: Mailbox, recipient: str) -> bytes:
    message = outgoing.message
    headers = {
        "To": str(Address("", *recipient.rsplit("@", 1))),
        "Date": format_datetime(message.entry.changed_at),
        "Message-ID": f"<{outgoing.id}@{sender.domain}>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Content-Language": content.locale.language,
        "MIME-Version": "1.0",
    }
    if message.kind == "reminder" and outgoing.link:
        headers["List-Unsubscribe"] = f"<{outgoing.link}>"
    return (
        mime.header("From", *_written(sender))
        + mime.header("Subject", *mime.words(one_line(content.subject)))
        + b"".join(mime.header(name, value) for name, value in headers.items())
    )


def _written(mailbox: Mailbox) -> list[str]:
    name = one_line(mailbox.name)
    if not name or mime.is_plain(name):
        return [str(Address(name, addr_spec=mailbox.address))]
    return [*mime.words(name), f"<{mailbox.address}>"]


def one_line(text: str) -> str:
    """Without line breaks and other characters that no header may contain."""
    return _UNPRINTABLE.sub(" ", text).strip()


def _calendar_entry(
    message: Message, method: Method, recipient: str, sender: Mailbox, pages: str | None
) -> bytes:
    return invitation(
        message.entry,
        Attendee(recipient, message.episode),
        method=method,
        host=message.calendar_host,
        organizer=sender.address,
        organizer_name=sender.name,
        pages=pages,
    )


def _shown(entry: bytes, method: Method) -> bytes:
    """Gmail and Outlook show it with the mail, and take it into the calendar."""
    return mime.binary(f'text/calendar; charset="utf-8"; method={method}', entry)


def _attached(entry: bytes) -> bytes:
    """For programs that take calendar entries from attachments only, such as those of Apple."""
    return mime.binary(
        'application/ics; name="invite.ics"',
        entry,
        'Content-Disposition: attachment; filename="invite.ics"',
    )


def _picture(ticket: str) -> bytes:
    return mime.binary(
        'image/png; name="ticket.png"',
        qr_code(ticket),
        f"Content-ID: <{QR_CODE_ID}>",
        'Content-Disposition: inline; filename="ticket.png"',
    )

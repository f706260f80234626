"""Mails, taken apart so that a person can look at them."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from hashlib import sha256
from typing import Any

import msgspec

from workers.sink.received import ReceivedMail


class ShownMail(msgspec.Struct, frozen=True):
    subject: str
    headers: list[tuple[str, str]]
    text: str
    html: str
    """With the pictures of the mail in it; links open outside of the frame that shows it."""
    calendar: str
    links: list[str]
    attachments: list[str]


def received_mail(sender: str, recipient: str, content: bytes) -> ReceivedMail:
    mail: EmailMessage = message_from_bytes(content, policy=default)
    message_id = str(mail["Message-ID"] or "")
    return ReceivedMail(
        at=datetime.now(UTC),
        id=sha256(f"{message_id} {recipient}".encode()).hexdigest()[:24],
        message_id=message_id,
        sender=sender,
        recipient=recipient,
        subject=str(mail["Subject"] or ""),
        text=_text(mail, "text/plain"),
        content=content,
    )


def shown_mail(content: bytes) -> ShownMail:
    mail: EmailMessage = message_from_bytes(content, policy=default)
    text = _text(mail, "text/plain")
    return ShownMail(
        subject=str(mail["Subject"] or ""),
        headers=[(name, str(value)) for name, value in mail.items()],
        text=text,
        html=_with_pictures(_text(mail, "text/html"), mail),
        calendar=_text(mail, "text/calendar"),
        links=re.findall(r"https?://\S+", text),
        attachments=[part.get_filename("?") for part in mail.iter_attachments()],
    )


def _text(mail: EmailMessage, content_type: str) -> str:
    """Of the first part of this type; empty without one."""
    for part in mail.walk():
        if part.get_content_type() == content_type:
            content: Any = part.get_payload(decode=True)
            return bytes(content or b"").decode(errors="replace").replace("\r\n", "\n")
    return ""


def _with_pictures(html: str, mail: EmailMessage) -> str:
    for part in mail.walk():
        if part["Content-ID"] and part.get_content_maintype() == "image":
            picture: Any = part.get_payload(decode=True)
            data = f"data:{part.get_content_type()};base64,{b64encode(picture).decode()}"
            html = html.replace(f"cid:{str(part['Content-ID']).strip('<>')}", data)
    return html.replace("<head>", '<head><base target="_blank" rel="noopener">', 1)

"""What the replies of a mail server mean for a mail.

Reasons hold the codes of a reply, never its text: they are stored in history, where no erasure
removes them, and servers repeat addresses.
"""

from __future__ import annotations

import re
from enum import Enum

from aiosmtplib import SMTPException, SMTPResponse, SMTPResponseException, SMTPTimeoutError

from workers.delivery import outside_errors
from workers.delivery.sender import Accepted, Answer, Rejected, TryLater

DONE = 250
CONTINUE = 354
CLOSING = 421
FIRST_PERMANENT = 500
LOGIN_REQUIRED = (530, 534, 535, 538)
TOO_LARGE = 552

FAILURES = (SMTPException, OSError, TimeoutError, ValueError)
"""Of connections and of replies. ValueError: what the server sends is no text, or no challenge."""


class Stage(Enum):
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CONTENT = "the content"


class Refused(Exception):
    """The server refuses us: our password, or our sender; the message says why"""


def interpret(reply: SMTPResponse, stage: Stage) -> Answer:
    """Accepted means at any stage but the last: go on. Raises `Refused`."""
    code = reply.code
    reason = f"SMTP {code}{_enhanced(reply)} to {stage.value}"
    if (code == CONTINUE) if stage is Stage.DATA else (200 <= code < 300):
        return Accepted()
    if not FIRST_PERMANENT <= code < 600:
        return TryLater(reason, said=reply.message)
    if code in LOGIN_REQUIRED or (stage is Stage.MAIL and code != TOO_LARGE):
        raise Refused(reason)
    return Rejected(reason, said=reply.message)


def _enhanced(reply: SMTPResponse) -> str:
    """The enhanced status code (RFC 3463), such as ` 5.1.1`, if there is one."""
    match = re.match(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?= |$)", reply.message)
    return f" {match[0]}" if match else ""


def describe(error: Exception) -> str:
    """The failure of a connection, without text of the server."""
    if isinstance(error, TimeoutError | SMTPTimeoutError):
        return "no answer of the mail server in time"
    if isinstance(error, SMTPResponseException) and error.code >= 200:
        return f"SMTP {error.code} before the first mail"
    if isinstance(error, SMTPResponseException | ValueError):
        return "no SMTP answer"
    return outside_errors.describe(error)

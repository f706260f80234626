"""One connection to the mail server, and one mail after the other over it.

`aiosmtplib` reads the replies. After any failure a session is closed, never reused or reconnected.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable

import aiohappyeyeballs
import aiosmtplib
import msgspec
from aiosmtplib import SMTPResponse

from runtime.mail import MailServer
from workers.delivery.http_connection import HAPPY_EYEBALLS_DELAY, any_address
from workers.delivery.mail import replies
from workers.delivery.mail.composing import Mail
from workers.delivery.mail.replies import Refused, Stage
from workers.delivery.sender import Accepted, Answer, NotStarted, Rejected

REPLY_TIMEOUT = 10.0
"""Seconds in which each command must be answered."""

CONTENT_TIMEOUT = 60.0
"""Seconds in which the server must answer the content. A mail whose answer is lost is sent twice,
so this is long; but it ends before the lease does."""

QUIT_TIMEOUT = 1.0

_LINE_BEGINS_WITH_DOT = re.compile(rb"(?m)^\.")


class Lost(Exception):
    """The mail server cannot be used now; the message says why"""

    def __init__(self, reason: str, *, may_be_sent: bool = False) -> None:
        super().__init__(reason)
        self.may_be_sent = may_be_sent
        """Whether the content was sent."""


class MailRoute(msgspec.Struct, frozen=True):
    """How to reach the mail server, and as whom."""

    server: MailServer
    name: str
    """What we call ourselves."""
    encryption: ssl.SSLContext | None

    @classmethod
    def to(cls, server: MailServer, name: str) -> MailRoute:
        return cls(server, name, _encryption(server))


class Session:
    """Open it with `Session.open`."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self._client = client
        self.mails = 0
        """Begun over it so far."""

    @classmethod
    async def open(cls, route: MailRoute, deadline: float) -> Session:
        """Connect, encrypt and log in until the deadline, by the loop's clock. Raises `Lost`, or
        `Refused` if the server refuses us."""
        try:
            async with asyncio.timeout_at(deadline):
                return cls(await _connected(route))
        except replies.FAILURES as error:
            raise Lost(replies.describe(error)) from error

    @property
    def is_usable(self) -> bool:
        return self._client.is_connected

    async def send(
        self, mail: Mail, sender: str, may_start: Callable[[], bool], deadline: float
    ) -> Answer:
        """Begin with the content until the deadline. Raises `NotStarted`, `Refused` if the server
        refuses us, and `Lost`, also for a server that takes no more mails over this session."""
        if refusal := self._refusal(mail):
            return refusal
        if not may_start():
            raise NotStarted
        self.mails += 1
        content_sent = False
        try:
            async with asyncio.timeout_at(deadline):
                answer = await self._announce(mail, sender)
            if not isinstance(answer, Accepted):
                return answer
            content_sent = True
            return await self._send_content(mail.content)
        except replies.FAILURES as error:
            self.abort()
            raise Lost(replies.describe(error), may_be_sent=content_sent) from error
        except BaseException:
            self.abort()
            raise

    def _refusal(self, mail: Mail) -> Rejected | None:
        """Why the server cannot take the mail, as it said at the beginning."""
        extensions = self._client.esmtp_extensions
        if mail.needs_smtputf8 and "smtputf8" not in extensions:
            return Rejected("the mail server takes only ASCII addresses (it offers no SMTPUTF8)")
        limit = extensions.get("size", "")
        if re.fullmatch(r"[0-9]{1,15}", limit) and 0 < int(limit) < len(mail.content):
            return Rejected("the mail is larger than the mail server takes")
        return None

    async def _announce(self, mail: Mail, sender: str) -> Answer:
        """Accepted: the server waits for the content."""
        options = [b"SMTPUTF8"] if mail.needs_smtputf8 else []
        for stage, command in (
            (Stage.MAIL, [b"MAIL", b"FROM:<%b>" % sender.encode(), *options]),
            (Stage.RCPT, [b"RCPT", b"TO:<%b>" % mail.recipient.encode()]),
            (Stage.DATA, [b"DATA"]),
        ):
            reply = await self._client.execute_command(*command)
            if stage is Stage.MAIL and self.mails > 1 and reply.code != replies.DONE:
                self.abort()
                raise Lost(f"SMTP {reply.code} to another mail")
            answer = replies.interpret(reply, stage)
            if not isinstance(answer, Accepted):
                await self._forget_mail(reply)
                return answer
        return Accepted()

    async def _send_content(self, content: bytes) -> Answer:
        protocol = self._client.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("closed before the content")
        protocol.write(_LINE_BEGINS_WITH_DOT.sub(b"..", content) + b".\r\n")
        reply = await protocol.read_response(CONTENT_TIMEOUT)
        answer = replies.interpret(reply, Stage.CONTENT)
        if reply.code == replies.CLOSING:
            self.abort()
        return answer

    async def _forget_mail(self, reply: SMTPResponse) -> None:
        """Make the session ready for the next mail."""
        if reply.code == replies.CLOSING or not self.is_usable:
            self.abort()
            return
        try:
            if (await self._client.execute_command(b"RSET")).code != replies.DONE:
                self.abort()
        except replies.FAILURES:
            self.abort()

    def abort(self) -> None:
        transport = self._client.transport
        self._client.close()
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()

    async def close(self) -> None:
        """Take leave of the server."""
        try:
            async with asyncio.timeout(QUIT_TIMEOUT):
                await self._client.quit()
        except replies.FAILURES:
            self.abort()


async def _connected(route: MailRoute) -> aiosmtplib.SMTP:
    server = route.server
    socket = await aiohappyeyeballs.start_connection(
        await any_address(server.host, server.port),
        happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY,
        interleave=1,
    )
    client = aiosmtplib.SMTP(
        hostname=server.host,
        sock=socket,
        local_hostname=route.name,
        timeout=REPLY_TIMEOUT,
        use_tls=server.encryption == "from_start",
        start_tls=False,  # see below
        tls_context=route.encryption,
    )
    try:
        await client.connect()
        await client.ehlo()
        if server.encryption in ("required", "offered"):
            await _encrypt(client, required=server.encryption == "required")
        if server.username is not None:
            await _log_in(client, server.username, server.password)
    except BaseException:
        client.close()
        raise
    return client


async def _encrypt(client: aiosmtplib.SMTP, *, required: bool) -> None:
    if client.supports_extension("starttls"):
        await client.starttls()
        await client.ehlo()  # the server may offer more now
    elif required:
        raise Lost("the mail server offers no STARTTLS")


async def _log_in(client: aiosmtplib.SMTP, username: str, password: str) -> None:
    if not client.supported_auth_methods:
        raise Refused("the mail server offers no login that is known here")
    try:
        await client.login(username, password)
    except aiosmtplib.SMTPAuthenticationError as error:
        if error.code >= replies.FIRST_PERMANENT:
            raise Refused(f"SMTP {error.code} to AUTH") from error
        raise


def _encryption(server: MailServer) -> ssl.SSLContext | None:
    if server.encryption == "off":
        return None
    context = ssl.create_default_context()
    if server.encryption == "offered":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context

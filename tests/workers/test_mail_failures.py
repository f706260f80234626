"""Mail servers that misbehave: no mail is lost, and none is sent twice, unless the server took it
and did not say so."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.mail import MailSettings, mail_from
from runtime.mail import mail_server as parse_url
from tests.support.certificates import write_certificate
from tests.support.messages import outgoing
from workers.delivery.mail.sender import MailSender
from workers.delivery.sender import Accepted, Answer, BadCredentials, NotStarted, Rejected, TryLater

ON_BOTH_LOOPS = [("asyncio", {"use_uvloop": True}), ("asyncio", {"use_uvloop": False})]

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("anyio_backend", ON_BOTH_LOOPS, ids=["uvloop", "asyncio"]),
]

SILENT = None
"""In a script: nothing is answered."""

CLOSE = b""
"""In a script: the connection is closed."""

NORMAL: dict[str, bytes | None] = {
    "greeting": b"220 ready\r\n",
    "EHLO": b"250-here\r\n250 SIZE 1000000\r\n",
    "MAIL": b"250 ok\r\n",
    "RCPT": b"250 ok\r\n",
    "DATA": b"354 go on\r\n",
    "content": b"250 taken\r\n",
    "RSET": b"250 ok\r\n",
    "QUIT": b"221 bye\r\n",
}


class ScriptedServer:
    """Answers commands as scripted, each step in each connection alike."""

    def __init__(self, **script: bytes | None) -> None:
        self.script = NORMAL | script
        self.commands: list[str] = []
        self.contents: list[bytes] = []
        self.connections = 0
        self.most_mails = 1_000
        """Over one connection."""
        self.content_came = asyncio.Event()
        self.write: Callable[[asyncio.StreamWriter, bytes], Awaitable[None]] = _write
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._answer(writer, "greeting")
            mails = 0
            while line := (await reader.readline()).decode("latin-1"):
                command = line.split()[0].upper()
                self.commands.append(line.strip())
                mails += command == "MAIL"
                if mails > self.most_mails:
                    writer.write(b"421 4.4.2 idle for too long\r\n")
                    return
                await self._answer(writer, command)
                if command == "DATA" and (self.script["DATA"] or b"").startswith(b"354"):
                    self.contents.append(await reader.readuntil(b"\r\n.\r\n"))
                    self.content_came.set()
                    await self._answer(writer, "content")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, step: str) -> None:
        reply = self.script.get(step, b"500 what?\r\n")
        if reply is SILENT:
            await asyncio.Event().wait()
        elif reply == CLOSE:
            raise ConnectionAbortedError
        else:
            await self.write(writer, reply)


async def _write(writer: asyncio.StreamWriter, reply: bytes) -> None:
    writer.write(reply)
    await writer.drain()


async def byte_by_byte(writer: asyncio.StreamWriter, reply: bytes) -> None:
    for byte in reply:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


@asynccontextmanager
async def running(server: ScriptedServer) -> AsyncIterator[MailSender]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"smtp://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    sender = sender_to(server.url)
    try:
        yield sender
    finally:
        await sender.close()
        listening.close()


def sender_to(url: str) -> MailSender:
    return MailSender(MailSettings(parse_url(url), mail_from("events@example.org")))


LATE = TryLater("no answer of the mail server in time")

NO_SMTP = TryLater("no SMTP answer")


@pytest.mark.usefixtures("short_mail_timeouts")
@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ({"greeting": SILENT}, LATE),
        ({"greeting": CLOSE}, TryLater("SMTPConnectError")),
        (
            {"greeting": b"554 5.7.1 blocked\r\n"},
            TryLater("SMTP 554 before the first mail"),
        ),
        ({"greeting": b"\xff\xfe\x00garbage\r\n"}, NO_SMTP),
        ({"greeting": b"HTTP/1.1 400 Bad Request\r\n\r\n"}, NO_SMTP),
        ({"EHLO": b"421 4.3.2 closing\r\n"}, TryLater("SMTP 421 before the first mail")),
        ({"EHLO": b"250-x\r\n" * 100_000 + b"250 ok\r\n"}, NO_SMTP),
        ({"EHLO": b"250-" + b"x" * 1_000_000 + b"\r\n250 ok\r\n"}, NO_SMTP),
        ({"MAIL": SILENT}, LATE),
        ({"MAIL": CLOSE}, TryLater("SMTPServerDisconnected")),
        (
            {"MAIL": b"421 4.7.0 try later\r\n"},
            TryLater("SMTP 421 4.7.0 to MAIL", said="4.7.0 try later"),
        ),
        (
            {"MAIL": b"552 5.3.4 too large\r\n"},
            Rejected("SMTP 552 5.3.4 to MAIL", said="5.3.4 too large"),
        ),
        ({"MAIL": b"550 5.7.1 not from here\r\n"}, BadCredentials("SMTP 550 5.7.1 to MAIL")),
        ({"MAIL": b"530 5.7.0 log in\r\n"}, BadCredentials("SMTP 530 5.7.0 to MAIL")),
        ({"RCPT": b"451 4.3.0 later\r\n"}, TryLater("SMTP 451 4.3.0 to RCPT", said="4.3.0 later")),
        (
            {"RCPT": b"550 5.1.1 ada@example.org unknown\r\n"},
            Rejected("SMTP 550 5.1.1 to RCPT", said="5.1.1 ada@example.org unknown"),
        ),
        ({"RCPT": b"ada@example.org\r\n"}, NO_SMTP),
        ({"RCPT": b"999 what\r\n"}, TryLater("SMTP 999 to RCPT", said="what")),
        (
            {"DATA": b"554 no valid recipients\r\n"},
            Rejected("SMTP 554 to DATA", said="no valid recipients"),
        ),
        ({"DATA": CLOSE}, TryLater("SMTPServerDisconnected")),
        ({"DATA": SILENT}, LATE),
        ({"content": SILENT}, LATE),
        ({"content": CLOSE}, TryLater("SMTPServerDisconnected")),
        (
            {"content": b"421 4.3.0 going down\r\n"},
            TryLater("SMTP 421 4.3.0 to the content", said="4.3.0 going down"),
        ),
        ({"content": b"452 disk full\r\n"}, TryLater("SMTP 452 to the content", said="disk full")),
        (
            {"content": b"554 5.6.0 spam\r\n"},
            Rejected("SMTP 554 5.6.0 to the content", said="5.6.0 spam"),
        ),
        ({"content": b"250-ok\r\n" * 100_000 + b"250 ok\r\n"}, NO_SMTP),
        ({"content": b"250-taken\r\n250 queued\r\n"}, Accepted()),
        ({"content": b"250 2.0.0 taken\n"}, Accepted()),
    ],
)
async def test_each_misbehaviour_has_a_meaning(
    script: dict[str, bytes | None], answer: Answer
) -> None:
    server = ScriptedServer(**script)
    async with running(server) as sender:
        assert await sender.send(outgoing()) == answer
        server.script = NORMAL
        assert await sender.send(outgoing()) == Accepted()


@pytest.mark.usefixtures("short_mail_timeouts")
async def test_replies_that_come_byte_by_byte_do_not_hold_a_connection_for_longer() -> None:
    server = ScriptedServer(EHLO=b"250-a-very-long-name-of-a-host\r\n250 SIZE 1000000\r\n")
    server.write = byte_by_byte
    async with running(server) as sender:
        assert await sender.send(outgoing()) == LATE


async def test_a_server_that_refuses_connections_is_tried_later() -> None:
    sender = sender_to("smtp://127.0.0.1:1")
    assert await sender.send(outgoing()) == TryLater("ConnectionRefusedError: Connection refused")


async def test_an_unknown_host_is_tried_later() -> None:
    answer = await sender_to("smtp://mail.invalid").send(outgoing())
    assert answer == TryLater("gaierror: the host is unknown")


async def test_a_mail_that_the_server_took_without_saying_so_is_the_same_when_it_is_sent_again(
    short_mail_timeouts: None,
) -> None:
    server = ScriptedServer(content=CLOSE)
    async with running(server) as sender:
        assert isinstance(await sender.send(outgoing()), TryLater)
        server.script = NORMAL
        assert await sender.send(outgoing()) == Accepted()
    first, second = server.contents
    assert first == second
    assert b"\r\nMessage-ID: <" in first


async def test_a_session_that_the_server_has_closed_meanwhile_is_replaced_at_once() -> None:
    server = ScriptedServer()
    server.most_mails = 1
    async with running(server) as sender:
        for _ in range(3):
            assert await sender.send(outgoing()) == Accepted()
    assert (server.connections, len(server.contents)) == (3, 3)


async def test_after_a_refused_recipient_the_session_is_used_on() -> None:
    server = ScriptedServer(RCPT=b"550 5.1.1 unknown\r\n")
    async with running(server) as sender:
        assert isinstance(await sender.send(outgoing()), Rejected)
        server.script = NORMAL
        assert await sender.send(outgoing()) == Accepted()
    assert server.connections == 1


async def test_a_mail_that_may_not_start_is_not_begun() -> None:
    server = ScriptedServer()
    async with running(server) as sender:
        with pytest.raises(NotStarted):
            await sender.send(outgoing(), lambda: False)
        assert server.commands == []


async def test_a_mail_larger_than_the_server_takes_fails() -> None:
    server = ScriptedServer(EHLO=b"250-here\r\n250 SIZE 100\r\n")
    async with running(server) as sender:
        answer = await sender.send(outgoing())
    assert answer == Rejected("the mail is larger than the mail server takes")
    assert server.contents == []


async def test_a_cancelled_attempt_closes_its_connection() -> None:
    server = ScriptedServer(content=SILENT)
    async with running(server) as sender:
        attempt = asyncio.create_task(sender.send(outgoing()))
        await server.content_came.wait()
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        server.script = NORMAL
        assert await sender.send(outgoing()) == Accepted()
    assert server.connections == 2


async def test_a_wrong_certificate_is_not_accepted_where_encryption_is_required(
    tmp_path: Path,
) -> None:
    write_certificate(tmp_path / "certificate.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem")
    server = ScriptedServer()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    answer = await sender_to(f"smtps://events:secret@localhost:{port}").send(outgoing())
    assert answer == TryLater("SMTPConnectError: CERTIFICATE_VERIFY_FAILED")
    assert server.commands == []
    listening.close()


async def test_a_password_is_not_sent_without_the_required_encryption() -> None:
    server = ScriptedServer(EHLO=b"250-here\r\n250 AUTH PLAIN LOGIN\r\n")
    async with running(server) as _:
        url = server.url.replace("//", "//events:secret@") + "?starttls=required"
        answer = await sender_to(url).send(outgoing())
    assert answer == TryLater("the mail server offers no STARTTLS")
    assert not any(command.startswith("AUTH") for command in server.commands)


async def test_a_server_that_breaks_the_encryption_is_tried_later(
    short_mail_timeouts: None,
) -> None:
    server = ScriptedServer(
        EHLO=b"250-here\r\n250 STARTTLS\r\n", STARTTLS=b"220 go on\r\n\x00\x01\x02\x03"
    )
    async with running(server) as sender:
        assert isinstance(await sender.send(outgoing()), TryLater)
    assert server.contents == []

"""Takes mails by SMTP (RFC 5321), as far as `up --mail` needs it: one client, which logs in."""

from __future__ import annotations

import asyncio
import binascii
import hmac
import re
from base64 import b64decode
from collections.abc import Callable

import structlog

LARGEST_MAIL = 1024 * 1024

IDLE_TIMEOUT = 60.0
"""Seconds in which the next line must come."""

USER = "sink"

log = structlog.get_logger()

_PATH = re.compile(r"(?:FROM|TO):\s*<([^<>\s]*)>", re.IGNORECASE)

Take = Callable[[str, str, bytes], None]
"""Called with sender, recipient and content of each mail."""


class MailListener:
    """Serves one connection after the other with `serve`. `token` is the password."""

    def __init__(self, token: str, take: Take) -> None:
        self._login = f"\0{USER}\0{token}".encode()
        self._take = take

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _Conversation(reader, writer, self._login, self._take).hold()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        except TimeoutError:
            log.debug("a mail client was silent for too long")
        finally:
            writer.close()


class _Conversation:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, login: bytes, take: Take
    ) -> None:
        self._reader, self._writer = reader, writer
        self._login, self._take = login, take
        self._knows_token = False
        self._sender: str | None = None
        self._recipients = list[str]()

    async def hold(self) -> None:
        await self._say("220 the sink of Events-Face")
        while line := await self._line():
            verb, _, rest = line.rstrip("\r\n").partition(" ")
            if verb.upper() == "QUIT":
                await self._say("221 bye")
                return
            await self._say(await self._answer(verb.upper(), rest))

    async def _answer(self, verb: str, rest: str) -> str:
        match verb:
            case "EHLO":
                size = f"250-SIZE {LARGEST_MAIL}"
                return "\r\n".join(["250-sink", size, "250-8BITMIME", "250-SMTPUTF8"]) + (
                    "\r\n250 AUTH PLAIN"
                )
            case "HELO" | "NOOP":
                return "250 OK"
            case "RSET":
                self._forget()
                return "250 OK"
            case "AUTH":
                return self._authenticate(rest)
            case "MAIL" | "RCPT" | "DATA" if not self._knows_token:
                return "530 5.7.0 log in with the token of the sink"
            case "MAIL" if path := _PATH.match(rest):
                self._forget()
                self._sender = path[1]
                return "250 OK"
            case "RCPT" if (path := _PATH.match(rest)) and self._sender is not None:
                self._recipients.append(path[1])
                return "250 OK"
            case "DATA" if self._recipients:
                return await self._receive()
            case "MAIL" | "RCPT" | "DATA":
                return "503 5.5.1 not now"
            case _:
                return "502 5.5.1 unknown command"

    def _authenticate(self, rest: str) -> str:
        mechanism, _, given = rest.partition(" ")
        if mechanism.upper() != "PLAIN":
            return "504 5.5.4 only AUTH PLAIN"
        try:
            self._knows_token = hmac.compare_digest(b64decode(given, validate=True), self._login)
        except (binascii.Error, ValueError):
            self._knows_token = False
        return "235 2.7.0 OK" if self._knows_token else "535 5.7.8 the token is wrong"

    async def _receive(self) -> str:
        await self._say("354 go on")
        lines, size = list[bytes](), 0
        async with asyncio.timeout(IDLE_TIMEOUT):
            while (line := await self._reader.readuntil(b"\n")) != b".\r\n":
                size += len(line)
                if size <= LARGEST_MAIL:
                    lines.append(line.removeprefix(b"."))
        sender, recipients = self._sender or "", self._recipients
        self._forget()
        if size > LARGEST_MAIL:
            return "552 5.3.4 the mail is too large"
        for recipient in recipients:
            self._take(sender, recipient, b"".join(lines))
        return "250 2.0.0 taken"

    def _forget(self) -> None:
        self._sender = None
        self._recipients = []

    async def _line(self) -> str:
        async with asyncio.timeout(IDLE_TIMEOUT):
            return (await self._reader.readline()).decode(errors="replace")

    async def _say(self, reply: str) -> None:
        self._writer.write(f"{reply}\r\n".encode())
        await self._writer.drain()

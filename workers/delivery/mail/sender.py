"""Sends messages as mails, over connections that are kept for the next mails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from runtime.mail import MailSettings
from workers.delivery.mail.composing import CannotCompose, Mail, compose
from workers.delivery.mail.idle_sessions import IdleSessions
from workers.delivery.mail.replies import Refused
from workers.delivery.mail.session import Lost, MailRoute, Session
from workers.delivery.sender import (
    Answer,
    BadCredentials,
    NotStarted,
    Outgoing,
    Rejected,
    TryLater,
)

START_TIMEOUT = 40.0
"""Seconds until the content of a mail must begin. Together with `session.CONTENT_TIMEOUT` it is
shorter than a lease."""


class MailSender:
    """Sends at most as many mails at once as `MAIL_URL` allows."""

    def __init__(self, mail: MailSettings, pages: str | None = None) -> None:
        """`pages` is the address under which each event has a page."""
        self._pages = pages
        self._sender = mail.sender
        self._route = MailRoute.to(mail.server, mail.sender.domain)
        self._idle = IdleSessions()
        self.max_calls = mail.server.connections

    async def close(self) -> None:
        await self._idle.close()

    async def send(
        self, outgoing: Outgoing, may_start: Callable[[], bool] = lambda: True
    ) -> Answer:
        """As `Sender.send`."""
        if not may_start():
            raise NotStarted
        try:
            return await self._send(compose(outgoing, self._sender, self._pages), may_start)
        except CannotCompose as error:
            return Rejected(str(error))
        except Refused as error:
            return BadCredentials(str(error))
        except Lost as error:
            return TryLater(str(error))

    async def _send(self, mail: Mail, may_start: Callable[[], bool]) -> Answer:
        """The server may have closed a kept session: then the mail goes over a new one."""
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT
        if (session := self._idle.take()) is not None:
            try:
                return await self._send_over(session, mail, may_start, deadline)
            except Lost as lost:
                if lost.may_be_sent:
                    raise
        session = await Session.open(self._route, deadline)
        return await self._send_over(session, mail, may_start, deadline)

    async def _send_over(
        self, session: Session, mail: Mail, may_start: Callable[[], bool], deadline: float
    ) -> Answer:
        try:
            return await session.send(mail, self._sender.address, may_start, deadline)
        finally:
            self._idle.keep(session)

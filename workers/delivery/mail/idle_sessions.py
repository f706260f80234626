"""Sessions that wait for the next mail."""

from __future__ import annotations

import asyncio

from workers.delivery.mail.session import Session

KEEP_ALIVE = 10.0
"""Seconds without a mail, after which a session is closed: servers allow few at once."""

MAX_MAILS = 100
"""Over one session: some servers refuse more."""


class IdleSessions:
    def __init__(self) -> None:
        self._idle = dict[Session, asyncio.TimerHandle]()
        self._closing = set[asyncio.Task[None]]()

    def take(self) -> Session | None:
        """The one that was used last; None without a usable one."""
        while self._idle:
            session, expiry = self._idle.popitem()
            expiry.cancel()
            if session.is_usable:
                return session
        return None

    def keep(self, session: Session) -> None:
        """Unless it cannot be used any more."""
        if session.mails >= MAX_MAILS:
            self._close(session)
        elif session.is_usable:
            loop = asyncio.get_running_loop()
            self._idle[session] = loop.call_later(KEEP_ALIVE, self._expire, session)

    async def close(self) -> None:
        for session in list(self._idle):
            self._expire(session)
        await asyncio.gather(*self._closing)

    def _expire(self, session: Session) -> None:
        self._idle.pop(session).cancel()
        self._close(session)

    def _close(self, session: Session) -> None:
        if session.is_usable:
            closing = asyncio.get_running_loop().create_task(session.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

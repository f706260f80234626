"""A trial of the mail server: connects and logs in, and sends nothing."""

from __future__ import annotations

import asyncio

from runtime.mail import MailSettings
from workers.delivery.mail.replies import Refused
from workers.delivery.mail.session import Lost, MailRoute, Session


async def trouble_with(mail: MailSettings, within: float) -> str | None:
    """Why no mail could be sent now; None if the server let us in, after that many seconds at
    most."""
    deadline = asyncio.get_running_loop().time() + within
    try:
        session = await Session.open(MailRoute.to(mail.server, mail.sender.domain), deadline)
    except (Lost, Refused) as error:
        return str(error)
    await session.close()
    return None

"""Messages as mails: from the outbox to a real mail server, and outcomes into history."""

from __future__ import annotations

import pytest

from domain.notifications import Failed, Sent
from runtime.settings import Settings
from tests.support.installation import Installation
from tests.support.mail_server import MailServer, by_mail, mail_server
from tests.workers.outboxes import (
    crowd,
    history_of,
    make_due,
    registered,
    rows_by_email,
    the_row,
)
from workers.delivery.deliverer import Delivery, DrainResult, new_delivery

pytestmark = pytest.mark.anyio


async def test_a_message_is_sent_as_a_mail_and_recorded(
    installation: Installation, mails: MailServer, mail_delivery: Delivery
) -> None:
    await registered(installation, "ada@example.org")
    assert await mail_delivery.drain() == DrainResult(sent=1, failed=0, waiting=0, paused=None)
    row = await the_row(installation)
    assert (row["state"], row["attempts"], row["lease_token"]) == ("sent", 1, None)
    assert len(await history_of(installation, Sent)) == 1

    (received,) = mails.received
    assert (received.sender, received.recipient) == ("events@example.org", "ada@example.org")
    assert received.id == f"<{row['id']}@example.org>"
    assert "https://events.example.com/r/" in received.content.decode()


async def test_connections_are_kept_for_the_next_mails_and_limited(
    installation: Installation, mails: MailServer, settings: Settings
) -> None:
    await registered(installation, *crowd(40))
    url = f"{mails.url}?connections=3"
    async with new_delivery(
        by_mail(settings, url), installation.database_url, installation.keys
    ) as delivery:
        assert (await delivery.drain()).sent == 40
    assert sorted(mails.recipients) == sorted(crowd(40))
    assert 1 <= mails.connections <= 3


@pytest.mark.parametrize("reply", ["450 4.2.0 greylisted", "421 4.3.2 closing", "451 try again"])
async def test_a_recipient_who_is_refused_for_now_is_tried_again_with_the_same_mail(
    installation: Installation, mails: MailServer, mail_delivery: Delivery, reply: str
) -> None:
    await registered(installation, "ada@example.org", "bob@example.org")
    mails.recipient_replies["ada@example.org"] = reply
    drained = await mail_delivery.drain()
    assert (drained.sent, drained.failed, drained.waiting) == (1, 0, 1)
    waiting = (await rows_by_email(installation))["ada@example.org"]
    assert waiting["last_error"].startswith(f"SMTP {reply[:3]}")

    del mails.recipient_replies["ada@example.org"]
    await make_due(installation)
    assert (await mail_delivery.drain()).sent == 1
    assert sorted(mails.recipients) == ["ada@example.org", "bob@example.org"]
    assert set(mails.ids.values()) == {1}


async def test_a_recipient_who_is_refused_for_good_fails_and_others_get_their_mail(
    installation: Installation, mails: MailServer, mail_delivery: Delivery
) -> None:
    await registered(installation, *crowd(10))
    mails.recipient_replies["visitor3@example.org"] = (
        "550 5.1.1 <visitor3@example.org> no such user"
    )
    drained = await mail_delivery.drain()
    assert (drained.sent, drained.failed, drained.waiting) == (9, 1, 0)
    row = (await rows_by_email(installation))["visitor3@example.org"]
    assert (row["state"], row["last_error"]) == ("failed", "SMTP 550 5.1.1 to RCPT")
    (failed,) = await history_of(installation, Failed)
    assert "visitor3" not in repr(failed)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("554 5.7.1 spam", "SMTP 554 5.7.1 to the content"),
        ("552 too large", "SMTP 552 to the content"),
    ],
)
async def test_a_refused_content_fails(
    installation: Installation, mails: MailServer, mail_delivery: Delivery, reply: str, reason: str
) -> None:
    await registered(installation, "ada@example.org")
    mails.content_replies.append(reply)
    assert (await mail_delivery.drain()).failed == 1
    assert (await the_row(installation))["last_error"] == reason


async def test_wrong_credentials_pause_sending_and_lose_nothing(
    installation: Installation, settings: Settings
) -> None:
    await registered(installation, *crowd(5))
    with mail_server(password="right") as server:
        wrong = by_mail(settings, server.url.replace("right", "wrong"))
        async with new_delivery(wrong, installation.database_url, installation.keys) as delivery:
            drained = await delivery.drain()
        assert (drained.sent, drained.failed, drained.waiting) == (0, 0, 5)
        assert drained.paused == "SMTP 535 to AUTH"

        right = by_mail(settings, server.url)
        async with new_delivery(right, installation.database_url, installation.keys) as delivery:
            await make_due(installation)
            await delivery.drain()  # the probe, which ends the pause
            await make_due(installation)
            assert (await delivery.drain()).paused is None
        assert sorted(server.recipients) == sorted(crowd(5))


async def test_a_refused_sender_pauses_sending_and_loses_nothing(
    installation: Installation, mails: MailServer, mail_delivery: Delivery
) -> None:
    await registered(installation, "ada@example.org")
    mails.mail_replies.append("553 5.7.1 sender not owned by the user")
    drained = await mail_delivery.drain()
    assert (drained.failed, drained.waiting, drained.paused) == (0, 1, "SMTP 553 5.7.1 to MAIL")


async def test_addresses_beyond_ascii(
    installation: Installation, mails: MailServer, mail_delivery: Delivery
) -> None:
    await registered(installation, "josé@example.org", "ada@faß.de")
    assert (await mail_delivery.drain()).sent == 2
    by_recipient = {received.recipient: received for received in mails.received}
    assert by_recipient.keys() == {"josé@example.org", "ada@xn--fa-hia.de"}
    assert "SMTPUTF8" in by_recipient["josé@example.org"].options
    assert "To: josé@example.org\r\n".encode() in by_recipient["josé@example.org"].content
    assert by_recipient["ada@xn--fa-hia.de"].mail["To"] == "ada@xn--fa-hia.de"


async def test_without_smtputf8_an_address_beyond_ascii_fails_with_this_reason(
    installation: Installation, settings: Settings
) -> None:
    await registered(installation, "josé@example.org", "ada@example.org")
    with mail_server(enable_SMTPUTF8=False) as server:
        async with new_delivery(
            by_mail(settings, server.url), installation.database_url, installation.keys
        ) as delivery:
            drained = await delivery.drain()
        assert (drained.sent, drained.failed) == (1, 1)
    assert (await rows_by_email(installation))["josé@example.org"]["last_error"] == (
        "the mail server takes only ASCII addresses (it offers no SMTPUTF8)"
    )

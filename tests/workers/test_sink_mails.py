"""The local sink takes mails and shows them as a person would see them."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from runtime.mail import MailSettings, mail_from
from runtime.mail import mail_server as parse_url
from runtime.ports import free_port
from runtime.settings import Settings
from tests.support.messages import LINK, outgoing
from tests.support.processes import environment, role
from tests.support.waiting import until
from workers.delivery.mail.sender import MailSender
from workers.delivery.sender import Accepted, BadCredentials
from workers.sink.access import token
from workers.sink.mail_listener import LARGEST_MAIL

TICKET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOP"


@contextmanager
def sink(settings: Settings) -> Iterator[tuple[httpx.Client, int]]:
    port, mail_port = free_port(), free_port()
    ports = ("--port", str(port), "--mail-port", str(mail_port))
    with (
        role(environment(settings, None), "sink", *ports) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client,
    ):
        until(lambda: answers(client))
        client.headers["Authorization"] = f"Bearer {token(settings)}"
        yield client, mail_port
        process.terminate()
        assert process.wait(30) == 0


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").is_success
    except httpx.TransportError:
        return False


def sender(mail_port: int, password: str) -> MailSender:
    server = parse_url(f"smtp://sink:{password}@127.0.0.1:{mail_port}")
    return MailSender(MailSettings(server, mail_from("events@example.org")))


@pytest.mark.anyio
async def test_a_mail_is_shown_with_its_picture_text_calendar_entry_and_link(
    own_settings: Settings,
) -> None:
    with sink(own_settings) as (client, mail_port):
        mails = sender(mail_port, token(own_settings))
        for mail in (outgoing(ticket=TICKET), outgoing(ticket=TICKET)):
            assert await mails.send(mail) == Accepted()
        await mails.close()

        listing = client.get("/notifications").json()
        assert (listing["total"], listing["repeats"]) == (1, 1)
        (received,) = listing["notifications"]
        assert received["id"] == str(outgoing().id)
        assert received["email"] == "ada@example.org"
        assert "Your confirmation code is 0042" in received["message"]

        page = client.get("/")
        assert "You are registered: Spring Fair" in page.text
        path = page.text.split('class="message"><a href="')[1].split('"')[0]
        shown = client.get(path).text
        assert f'href="{LINK}"' in shown
        assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in shown
        assert "BEGIN:VCALENDAR" in shown
        assert "Message-ID: " in shown
        assert "<script" not in shown

        html = client.get(f"{path}/html")
        assert html.headers["content-security-policy"].startswith("sandbox allow-popups")
        assert 'src="data:image/png;base64,' in html.text
        assert "cid:" not in html.text
        assert client.get(f"{path}/file").headers["content-type"] == "message/rfc822"
        assert client.get("/mails/unknown").status_code == 404
        del client.headers["Authorization"]
        for address in (path, f"{path}/html", f"{path}/file"):
            assert client.get(address).status_code == 401
            with_token = client.get(address, params={"token": token(own_settings)})
            assert with_token.status_code == 200


@pytest.mark.anyio
async def test_only_who_knows_the_token_may_send(own_settings: Settings) -> None:
    with sink(own_settings) as (client, mail_port):
        mails = sender(mail_port, "wrong")
        assert await mails.send(outgoing()) == BadCredentials("SMTP 535 to AUTH")
        with (
            smtplib.SMTP("127.0.0.1", mail_port) as anonymous,
            pytest.raises(smtplib.SMTPSenderRefused, match="530"),
        ):
            anonymous.sendmail("a@example.org", ["b@example.org"], b"Subject: x\r\n\r\n")
        assert client.get("/notifications").json()["total"] == 0


def test_other_mail_programs_can_send_and_too_large_mails_are_refused(
    own_settings: Settings,
) -> None:
    with sink(own_settings) as (client, mail_port):
        with smtplib.SMTP("127.0.0.1", mail_port) as program:
            program.login("sink", token(own_settings))
            text = b"Subject: hello\r\n\r\n.dots\r\n<script>alert(1)</script>\r\n"
            program.sendmail("a@example.org", ["b@example.org", "c@example.org"], text)
            with pytest.raises(smtplib.SMTPResponseException, match="552"):
                program.sendmail("a@example.org", ["b@example.org"], b"x\r\n" * LARGEST_MAIL)
            program.sendmail("a@example.org", ["d@example.org"], b"\xff\xfe broken")
        assert client.get("/notifications").json()["total"] == 3
        page = client.get("/").text
        assert page.count("hello") == 2
        for part in page.split('class="message"><a href="')[1:]:
            path = part.split('"')[0]
            assert client.get(path).status_code == 200
            assert client.get(f"{path}/html").status_code == 200

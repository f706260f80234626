"""MAIL_URL and MAIL_FROM: what they mean, and how a bad one is reported."""

from __future__ import annotations

import pytest

from runtime.mail import Mailbox, MailServer, mail_from, mail_server
from runtime.settings import Settings, SettingsError


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtps://mx.example.org", ("mx.example.org", 465, "from_start", None, "")),
        ("smtps://u:p%40ss@mx.example.org:99", ("mx.example.org", 99, "from_start", "u", "p@ss")),
        ("smtp://mx.example.org", ("mx.example.org", 25, "offered", None, "")),
        ("smtp://u:p@mx.example.org", ("mx.example.org", 587, "required", "u", "p")),
        ("smtp://u:p@localhost:25", ("localhost", 25, "offered", "u", "p")),
        ("smtp://[::1]?starttls=off", ("::1", 25, "off", None, "")),
        ("smtp://mx.example.org/?starttls=required", ("mx.example.org", 25, "required", None, "")),
    ],
)
def test_the_url_says_how_to_connect(
    url: str, server: tuple[str, int, str, str | None, str]
) -> None:
    found = mail_server(url)
    assert (found.host, found.port, found.encryption, found.username, found.password) == server


@pytest.mark.parametrize(
    "url",
    [
        "http://hunter2@mx.example.org",
        "smtp://",
        "smtp://u:hunter2@mx.example.org:0",
        "smtp://u:hunter2@mx.example.org:hunter2",
        "smtp://u:hunter2@mx.example.org/path",
        "smtp://u:hunter2@mx.example.org?starttls=off",
        "smtp://u:hunter2@mx.example.org?starttls=offered",
        "smtps://u:hunter2@mx.example.org?starttls=required",
        "smtp://mx.example.org?starttls=hunter2",
        "smtp://mx.example.org?hunter2=1",
        "smtp://mx.example.org?connections=0",
        "smtp://mx.example.org?connections=hunter2",
        "smtp://u:hunter2%0d%0aQUIT@mx.example.org",
        "smtp://:hunter2@mx.example.org",
    ],
)
def test_a_bad_url_stops_the_start_without_printing_the_password(url: str) -> None:
    environ = {"MAIL_URL": url, "MAIL_FROM": "events@example.org"}
    with pytest.raises(SettingsError, match="MAIL_URL ") as refused:
        Settings.load(environ, dotenv=None)
    assert "hunter2" not in str(refused.value)


def test_the_url_needs_a_sender() -> None:
    with pytest.raises(SettingsError, match="MAIL_FROM must be set with MAIL_URL"):
        Settings.load({"MAIL_URL": "smtp://mx.example.org"}, dotenv=None)
    assert Settings.load({"MAIL_FROM": "events@example.org"}, dotenv=None).mail is None


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ("events@example.org", Mailbox("", "events@example.org")),
        ("Town Hall <Events@example.org>", Mailbox("Town Hall", "Events@example.org")),
        ('"Town, Hall" <events@faß.de>', Mailbox("Town, Hall", "events@xn--fa-hia.de")),
    ],
)
def test_the_sender_has_an_address_and_perhaps_a_name(text: str, mailbox: Mailbox) -> None:
    assert mail_from(text) == mailbox


@pytest.mark.parametrize(
    "text", ["events", "a@b.de, c@d.de", "Ä <ä@example.org>", "x\0 <a@b.de>", "<a@b.de", "a@b"]
)
def test_a_bad_sender_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        mail_from(text)


def test_a_password_is_not_in_the_representation() -> None:
    server: MailServer = mail_server("smtps://u:hunter2@mx.example.org")
    assert "hunter2" not in repr(server)

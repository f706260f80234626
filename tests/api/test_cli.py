"""`createsuperuser`, `grant`, `revoke`, `reset-password` and `erase`, as an operator uses them."""

from __future__ import annotations

import re
import sys
from contextlib import nullcontext
from io import StringIO

import msgspec
import psycopg
import pytest

from api.identity.password_links import PasswordLinks
from events_face.commands import accounts
from events_face.commands.accounts import createsuperuser, grant, reset_password, revoke
from events_face.commands.erase import erase
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.settings import Settings

pytestmark = pytest.mark.usefixtures("hashing_is_quick")

PASSWORD = "correct horse battery"


def hashes(services: Services) -> list[str]:
    with psycopg.connect(services.database_url) as connection:
        found = connection.execute("SELECT password_hash FROM credentials ORDER BY username")
        return [stored for (stored,) in found]


def test_a_superuser_has_every_role_and_is_created_once(
    settings: Settings, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    createsuperuser(settings, services, username="Root", password=PASSWORD)
    assert capsys.readouterr().out == "created Root, with every role\n"
    before = hashes(services)
    createsuperuser(settings, services, username="root", password="another one")
    assert capsys.readouterr().out == "root exists already; nothing was changed\n"
    assert hashes(services) == before
    revoke(settings, services, username="ROOT", role="auditor")
    assert capsys.readouterr().out == "Root: organizer, admin\n"


def test_the_last_admin_loses_the_role_only_by_force(
    settings: Settings, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("Root", "ada"):
        createsuperuser(settings, services, username=name, password=PASSWORD)
    revoke(settings, services, username="ada", role="admin")
    with pytest.raises(CommandFailed, match=r"Root is the last admin.*--force"):
        revoke(settings, services, username="root", role="admin")
    revoke(settings, services, username="root", role="organizer")
    revoke(settings, services, username="root", role="admin", force=True)
    assert capsys.readouterr().out.splitlines()[-2:] == ["Root: auditor, admin", "Root: auditor"]


def test_a_link_to_set_a_password_is_printed(
    settings: Settings, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    createsuperuser(settings, services, username="Root", password=PASSWORD)
    elsewhere = msgspec.structs.replace(settings, public_url="https://events.example.com")
    for used, origin in [
        (settings, "http://127.0.0.1:8000"),
        (elsewhere, "https://events.example.com"),
    ]:
        reset_password(used, services, username="ROOT")
        printed = capsys.readouterr().out.splitlines()[-1]
        assert re.fullmatch(rf"{origin}/admin/password/[a-z2-7]{{72}}/", printed)
        PasswordLinks(settings.secret_keys).read(printed.split("/")[-2])
    with pytest.raises(CommandFailed, match="there is no account nobody"):
        reset_password(settings, services, username="nobody")


def test_the_password_comes_from_the_environment_when_it_is_not_given(
    settings: Settings, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CommandFailed, match="EVENTS_FACE_PASSWORD"):
        createsuperuser(settings, services, username="root", password=None)
    monkeypatch.setenv("EVENTS_FACE_PASSWORD", "short")
    with pytest.raises(CommandFailed, match="the password must have 8 to 128 characters"):
        createsuperuser(settings, services, username="root", password=None)
    monkeypatch.setenv("EVENTS_FACE_PASSWORD", PASSWORD)
    createsuperuser(settings, services, username="root", password=None)
    assert len(hashes(services)) == 1


def test_roles_are_granted_and_revoked_by_username(
    settings: Settings, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    createsuperuser(settings, services, username="ada", password=PASSWORD)
    for role in ("admin", "auditor", "organizer"):
        revoke(settings, services, username="ada", role=role, force=True)
    for _ in range(2):
        grant(settings, services, username="Ada", role="organizer")
    assert capsys.readouterr().out.splitlines()[-3:] == ["ada: no role", *["ada: organizer"] * 2]
    with pytest.raises(CommandFailed, match="there is no account nobody"):
        grant(settings, services, username="nobody", role="organizer")
    with psycopg.connect(services.database_url) as connection:
        connection.execute("DROP TABLE sessions, credentials")
    with pytest.raises(CommandFailed, match="events-face migrate"):
        grant(settings, services, username="ada", role="organizer")


def test_a_terminal_closed_at_the_password_is_reported_in_one_line(
    settings: Settings, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(_: str) -> str:
        raise EOFError

    monkeypatch.delenv(accounts.PASSWORD_VARIABLE, raising=False)
    monkeypatch.setattr(accounts, "getpass", ended)
    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(CommandFailed, match="no password was entered"):
        createsuperuser(settings, services, username="root", password=None)


@pytest.mark.parametrize(
    ("typed", "is_erased"),
    [("y\n", True), ("YES\n", True), ("\n", False), ("", False), ("n\n", False)],
)
def test_an_erasure_on_a_terminal_asks_for_confirmation(
    settings: Settings,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    is_erased: bool,
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    with nullcontext() if is_erased else pytest.raises(CommandFailed, match="nothing was erased"):
        erase(settings, services, "ada@example.com")
    out, err = capsys.readouterr()
    assert "Erase ada@example.com everywhere" in err
    assert bool(out) == is_erased


def test_an_erasure_with_yes_asks_for_no_confirmation(
    settings: Settings,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    erase(settings, services, "ada@example.com", yes=True)
    assert capsys.readouterr().err == ""


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True

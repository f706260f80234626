import socket
from pathlib import Path

import pytest

from events_face.commands.up import _exclusive_up, _roles, up
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.settings import Settings


def settings(data_dir: Path, **more: str) -> Settings:
    return Settings.load({"DATA_DIR": str(data_dir), "SECRET_KEY": "any", **more}, dotenv=None)


def test_a_port_in_use_is_reported_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandFailed, match=f"port {port} is in use"):
            up(settings(tmp_path), host="127.0.0.1", port=port, workers=1)
    assert not (tmp_path / "postgres").exists()


def test_an_address_of_another_machine_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="cannot listen at 192"):
        up(settings(tmp_path), host="192.0.2.1", port=8000, workers=1)


def test_a_second_one_on_the_same_data_dir_is_refused(tmp_path: Path) -> None:
    with _exclusive_up(tmp_path), pytest.raises(CommandFailed, match="already up on the data dir"):
        up(settings(tmp_path), host="127.0.0.1", port=8000, workers=1)


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"MAIL_URL": "smtp://mail.example.com", "MAIL_FROM": "events@example.com"},
        {
            "NOTIFICATION_SERVICE_URL": "https://notify.example.com/",
            "NOTIFICATION_TOKEN": "secret",
            "NOTIFICATION_SERVICE_OWNER_ID": "0d5585e6-b60b-43fb-bffb-67ef052dd1d8",
        },
    ],
)
@pytest.mark.parametrize("mail", [False, True])
def test_there_is_a_sink_only_if_messages_go_nowhere_else(
    tmp_path: Path, elsewhere: dict[str, str], mail: bool
) -> None:
    services = Services(database_url="postgresql:///any", redis_url=None)
    for more, expected in ((elsewhere, False), ({}, True)):
        roles = _roles(settings(tmp_path, **more), services, "127.0.0.1", 8000, 1, mail=mail)
        assert ("sink" in [role.name for role in roles]) == expected

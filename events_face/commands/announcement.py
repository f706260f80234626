"""Announces, once, that the system is ready, with its addresses; until then logs what is not
ready."""

import shlex
import sys
import time
from pathlib import Path

import httpx
import psycopg
import structlog

from runtime.data_dir import up_lock
from runtime.file_lock import is_held
from runtime.settings import Settings

NOTICE_INTERVAL = 60.0
"""Seconds between two log lines about what is not ready yet."""

log = structlog.get_logger()


class Announcement:
    """Call `check` repeatedly."""

    def __init__(self, settings: Settings, database_url: str, host: str, port: int) -> None:
        self._settings = settings
        self._database_url = database_url
        self._bound = f"http://{_in_url(host)}:{port}"
        self._reachable = reachable_url(host, port)
        self._client = httpx.Client(timeout=2.0, trust_env=False)
        self._is_due = True
        self._notice = time.monotonic() + NOTICE_INTERVAL

    def check(self) -> None:
        if not self._is_due:
            return
        reason = self._why_not_ready()
        if reason is None:
            self._is_due = False
            self._announce()
        elif time.monotonic() > self._notice:
            log.warning("not ready yet", reason=reason)
            self._notice = time.monotonic() + NOTICE_INTERVAL

    def _why_not_ready(self) -> str | None:
        url = f"{self._reachable}/health/ready"
        try:
            answer = self._client.get(url)
        except httpx.HTTPError as error:
            return f"{url} does not answer ({error})"
        return None if answer.status_code == 200 else f"{url} answers {answer.text[:500]}"

    def _announce(self) -> None:
        """Write one line to standard output, for programs, and log more for people."""
        sys.stdout.write(f"Events-Face is ready at {self._bound}\n")
        sys.stdout.flush()
        log.info("the admin panel", page=f"{self._reachable}/admin/")
        log.info("the API documentation", page=f"{self._reachable}/api/swagger/")
        if not self._has_account():
            log.info("no account exists yet", command=self._createsuperuser())

    def _has_account(self) -> bool:
        try:
            with psycopg.connect(self._database_url) as connection:
                found = connection.execute("SELECT EXISTS (SELECT FROM credentials)")
                return found.fetchone() == (True,)
        except psycopg.Error:  # unknown: then the hint is left out
            return True

    def _createsuperuser(self) -> str:
        program = sys.argv[0] if Path(sys.argv[0]).name == "events-face" else "events-face"
        words = [program, "createsuperuser", "--username", "root"]
        if self._settings.data_dir != Settings().data_dir.absolute():
            words += ["--data-dir", str(self._settings.data_dir)]
        return shlex.join(words)


def up_address(data_dir: Path) -> str | None:
    """Where people reach what `up` runs in the data dir; None while it does not run."""
    path = up_lock(data_dir)
    return (path.read_text() or None) if is_held(path) else None


def reachable_url(host: str, port: int) -> str:
    """Where a server that listens at this host and port can be reached from this machine."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound
    return f"http://{_in_url(reachable)}:{port}"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host

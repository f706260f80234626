"""Hosts of a test: network namespaces around a switch, whose cables can be pulled; where those are
not permitted, loopback addresses, on which processes can only be killed."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from ipaddress import IPv4Network
from pathlib import Path
from secrets import token_hex
from typing import Any

import psutil

from tests.support.processes import CommandFailed, Process, run, start

FOR_TESTS = IPv4Network("198.18.0.0/15")
"""Set aside for tests of networks, so that nothing else is there."""


class Host:
    """A place where processes run, with an address of its own."""

    def __init__(self, name: str, address: str, cable: Cable | None = None) -> None:
        self.name = name
        self.address = address
        self.processes: list[Process] = []
        self._cable = cable

    def run(self, command: Sequence[object], **options: Any) -> None:
        """To its end. Raises CommandFailed."""
        command, options = self._inside(command, options)
        run(command, check=True, cwd="/", **options)

    def start(self, command: Sequence[object], log: Path, **options: Any) -> Process:
        """As `processes.start`."""
        command, options = self._inside(command, options)
        process = start(command, log=log, cwd="/", **options)
        self.processes.append(process)
        return process

    def kill(self) -> None:
        """All that runs on it, at once."""
        for found in list(self._all_processes()):
            with suppress(psutil.NoSuchProcess):
                found.kill()
        for process in self.processes:
            process.wait()
        self.processes.clear()

    def freeze(self) -> None:
        """All that runs on it goes no further, and keeps its connections."""
        for found in list(self._all_processes()):
            with suppress(psutil.NoSuchProcess):
                found.suspend()

    def thaw(self) -> None:
        for found in list(self._all_processes()):
            with suppress(psutil.NoSuchProcess):
                found.resume()

    def stop(self) -> list[int]:
        """Ask all that runs on it to end, and give the exit codes."""
        for process in self.processes:
            process.terminate()
        codes = [process.wait(30) for process in self.processes]
        self.processes.clear()
        return codes

    def cut_off(self) -> None:
        """Drop all packets to and from it, without notice."""
        assert self._cable is not None
        self._cable.pull()

    def connect(self) -> None:
        assert self._cable is not None
        self._cable.plug()

    def _all_processes(self) -> Iterator[psutil.Process]:
        for started in self.processes:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(started.pid)
                yield from (process, *process.children(recursive=True))

    def _inside(
        self, words: Sequence[object], options: Mapping[str, Any]
    ) -> tuple[list[str], dict[str, Any]]:
        """Only root may enter a namespace, so it changes the account after that."""
        command, more = [str(word) for word in words], dict(options)
        if self._cable is None:
            return command, more
        entering = ["nsenter", f"--net=/run/netns/{self._cable.namespace}"]
        if "user" in more:
            del more["extra_groups"]
            entering += [f"--setuid={more.pop('user')}", f"--setgid={more.pop('group')}"]
        return [*entering, "--", *command], more


class Cable:
    """From a namespace to the switch, which is a bridge in a namespace of its own."""

    def __init__(self, namespace: str, switch: str, port: str) -> None:
        self.namespace = namespace
        self._end = f"-n {switch} link set {port}"

    def pull(self) -> None:
        _ip(f"{self._end} down")

    def plug(self) -> None:
        _ip(f"{self._end} up")


class Network:
    """`here` is the address that hosts reach this process at; `why_uncut` says why hosts cannot be
    cut off, if they cannot."""

    def __init__(self, hosts: Mapping[str, Host], here: str, why_uncut: str | None) -> None:
        self.hosts = hosts
        self.here = here
        self.why_uncut = why_uncut

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]


@contextmanager
def network(*names: str) -> Iterator[Network]:
    """One host for each name; all that runs on them is killed at the end of the block."""
    why_uncut = _why_no_namespaces()
    with _loopback(names, why_uncut) if why_uncut else _namespaces(names) as found:
        try:
            yield found
        finally:
            for host in found.hosts.values():
                host.kill()


@contextmanager
def _loopback(names: Sequence[str], why_uncut: str) -> Iterator[Network]:
    several = sys.platform == "linux"  # elsewhere only one of them is there
    hosts = {
        name: Host(name, f"127.0.0.{number if several else 1}")
        for number, name in enumerate(names, start=2)
    }
    yield Network(hosts, "127.0.0.1", why_uncut)


@contextmanager
def _namespaces(names: Sequence[str]) -> Iterator[Network]:
    run = f"ef{token_hex(3)}"
    switch, uplink = f"{run}-switch", f"{run}u"
    here, *addresses = map(str, _unused_network().hosts())
    try:
        _ip(f"netns add {switch}")
        _ip(f"-n {switch} link add bridge type bridge")
        _ip(f"-n {switch} link set bridge up")
        _ip(f"link add {uplink} type veth peer name uplink netns {switch}")
        _ip(f"address add {here}/24 dev {uplink}")
        _ip(f"link set {uplink} up")
        _ip(f"-n {switch} link set uplink master bridge up")
        hosts = {}
        for number, (name, address) in enumerate(zip(names, addresses, strict=False)):
            namespace, port = f"{run}-{name}", f"port{number}"
            _ip(f"netns add {namespace}")
            _ip(f"-n {namespace} link set lo up")
            _ip(f"-n {namespace} link add net type veth peer name {port} netns {switch}")
            _ip(f"-n {namespace} address add {address}/24 dev net")
            _ip(f"-n {namespace} link set net up")
            _ip(f"-n {switch} link set {port} master bridge up")
            hosts[name] = Host(name, address, Cable(namespace, switch, port))
        yield Network(hosts, here, None)
    finally:
        for namespace in (f"{run}-{name}" for name in (*names, "switch")):
            if Path("/run/netns", namespace).exists():
                _ip(f"netns delete {namespace}")


def _unused_network() -> IPv4Network:
    taken = {
        IPv4Network(f"{address.address}/24", strict=False)
        for interface in psutil.net_if_addrs().values()
        for address in interface
        if address.family.name == "AF_INET"
    }
    free = [found for found in FOR_TESTS.subnets(new_prefix=24) if found not in taken]
    return random.choice(free)


def _why_no_namespaces() -> str | None:
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need root on Linux"
    if not (shutil.which("ip") and shutil.which("nsenter")):
        return "network namespaces need iproute2 and util-linux"
    probe = f"ef{token_hex(3)}-probe"
    try:
        _ip(f"netns add {probe}")
    except CommandFailed:
        return "network namespaces are not permitted here"
    _ip(f"netns delete {probe}")
    return None


def _ip(words: str) -> None:
    command = f"ip {words}".split()
    run(command, check=True)

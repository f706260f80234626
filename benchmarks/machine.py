"""The machine and the software versions of a measurement."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks.load import load_generator
from benchmarks.peers import environments

OURS = ("litestar", "granian", "uvloop", "msgspec", "psycopg", "eventsourcing", "httpx")

FASTAPI = ("fastapi", "sqlalchemy", "asyncpg", "uvicorn")


def machine() -> dict[str, str]:
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "kernel": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    return {
        "Python": platform.python_version(),
        "load generator": load_generator(),
        **{name: version(name) for name in OURS},
        **environments.versions("django_drf", "django", "djangorestframework", "gunicorn"),
        **environments.versions("fastapi_sqlalchemy", *FASTAPI),
    }


def revision() -> str:
    """The commit that is checked out, marked when something was changed since."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()

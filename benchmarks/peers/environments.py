"""The peers' own environments, made from their pins under .venv-peers."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks.processes import run
from runtime.file_lock import exclusive

PEERS = Path(__file__).parent
MADE = PEERS.parents[1] / ".venv-peers"

VERSIONS = """
import json, sys
from importlib.metadata import version
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


def python(peer: str) -> str:
    """The interpreter of its environment, which is made when there is none of these pins."""
    pins = PEERS / peer / "requirements.txt"
    folder = MADE / peer
    made_from = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()
    mark = folder / ".made-from"
    MADE.mkdir(exist_ok=True)
    with exclusive(MADE / f"{peer}.lock"):
        if not mark.exists() or mark.read_text() != made_from:
            uv = str(Path(sys.executable).with_name("uv"))
            run([uv, "venv", "--clear", "--python", sys.executable, str(folder)], os.environ)
            sync = [uv, "pip", "sync", "--python", str(folder), "--compile-bytecode"]
            run([*sync, "--require-hashes", str(pins)], os.environ)
            mark.write_text(made_from)
    return str(folder / "bin" / "python")


def versions(peer: str, *packages: str) -> dict[str, str]:
    said = subprocess.run(
        [python(peer), "-c", VERSIONS, *packages], capture_output=True, check=True
    )
    return msgspec.json.decode(said.stdout, type=dict[str, str])

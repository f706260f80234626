"""What is served is what the OpenAPI document says: schemathesis calls every call, valid and not,
alone and one after the other, and checks each answer."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import anyio
import pytest

from domain.privacy.keys import InstallationKeys
from runtime.embedded.services import Services
from tests.api.serving import Serving, projector_on
from tests.support.processes import STDOUT

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent

ONE_BY_ONE = "examples,coverage,fuzzing"


@pytest.mark.parametrize(
    ("phases", "seed", "enough"),
    [(ONE_BY_ONE, 1, 1000), ("stateful", 1, 30)],
)
async def test_schemathesis_finds_no_fault(
    serving: Serving,
    services: Services,
    keys: InstallationKeys,
    tmp_path: Path,
    phases: str,
    seed: int,
    enough: int,
) -> None:
    """`enough`: cases; with fewer, no fault says nothing."""
    async with projector_on(services, keys), serving(write_policy="organizer") as api:
        admin, other = await api.account("operator", "admin"), await api.account("other")
        schema = tmp_path / "schema.json"
        schema.write_bytes((await api.http.get("/api/schema/")).content)
        environ = os.environ | {
            "API_URL": str(api.http.base_url),
            "OTHER_ID": other.id,
        }
        done = await anyio.run_process(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--no-color"),
                *("--config-file", str(HERE / "schemathesis.toml")),
                *("run", str(schema)),
                *("--header", f"Authorization: Bearer {admin.access_token}"),
                *("--phases", phases, "--seed", str(seed)),
            ],
            env=environ,
            cwd=tmp_path,
            check=False,
            stderr=STDOUT,
        )
        me = await api.http.get("/api/auth/me", headers=admin.bearer)
    report = done.stdout.decode()
    assert done.returncode == 0, report
    assert me.status_code == 200, "the admin's session ended on the way: most answers were 401"
    generated = re.search(r"(\d+) generated", report)
    assert generated is not None, report
    assert int(generated[1]) >= enough, report

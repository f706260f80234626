"""No file of another project is in this repository; NOTICE names the packages that have them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from api.http.bundles import DOCUMENTATION, PANEL, installed
from tests.support.processes import run

ROOT = Path(__file__).parent.parent

LIMIT = 2_000
"""Characters; minified files have lines of many thousands."""

CODE = {".js", ".mjs", ".css", ".py", ".html"}


def test_no_tracked_file_is_minified() -> None:
    git = shutil.which("git")
    if git is None:
        pytest.skip("there is no git")
    listed = run([git, "ls-files", "-z"], cwd=ROOT)
    if listed.returncode:
        pytest.skip("not a checkout of the repository")
    tracked = [ROOT / name for name in listed.stdout.split("\0") if name]
    code = [path for path in tracked if path.suffix in CODE and path.exists()]
    assert len(code) > 100
    minified = [path.name for path in code if ".min." in path.name or _longest_line(path) > LIMIT]
    assert minified == []


def _longest_line(path: Path) -> int:
    return max(map(len, path.read_text("utf-8").splitlines()), default=0)


def test_the_notice_names_each_file_that_comes_from_a_package() -> None:

    notice = (ROOT / "NOTICE").read_text("utf-8")
    for name, file in (DOCUMENTATION | PANEL).items():
        assert f"`{Path(name).name}`" in notice
        assert installed(file).stat().st_size > 10_000

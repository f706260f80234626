"""Prints the findings of `events-face doctor`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from events_face.commands.doctor.examination import examine
from runtime.checks.finding import Finding, Level
from runtime.errors import CommandFailed
from runtime.settings import Settings

STYLES: dict[Level, str] = {"ok": "green", "warning": "yellow", "error": "bold red"}


def doctor(settings: Settings, *, json: bool) -> None:
    """Print all findings. Raises CommandFailed if one of them is an error."""
    findings = examine(settings)
    console = Console()
    if json:
        sys.stdout.write(f"{msgspec.json.format(msgspec.json.encode(findings)).decode()}\n")
    elif console.is_terminal:
        console.print(_table(findings))
    else:
        sys.stdout.writelines(f"{_line(finding)}\n" for finding in findings)
    if errors := sum(finding.level == "error" for finding in findings):
        raise CommandFailed(f"{errors} of {len(findings)} checks found an error")


def _table(findings: Sequence[Finding]) -> Table:
    table = Table("check", "", "finding", "remedy")
    for column in table.columns:
        column.overflow = "fold"
    for finding in findings:
        table.add_row(
            finding.check,
            Text(finding.level, style=STYLES[finding.level]),
            Text(finding.message),
            Text(finding.remedy or ""),
        )
    return table


def _line(finding: Finding) -> str:
    line = f"{finding.level:8}{finding.check}: {finding.message}"
    return f"{line}; {finding.remedy}" if finding.remedy else line

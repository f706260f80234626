"""The command `projections rebuild`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from projections.rebuild.rebuild import CannotRebuild, rebuild_tables
from projections.registry import ALL
from runtime.embedded.services import Services
from runtime.errors import CommandFailed, WrongUsage
from runtime.installation import installation_keys
from runtime.settings import Settings

_BY_NAME = {projection.name: projection for projection in ALL}


def rebuild(settings: Settings, services: Services, names: Sequence[str]) -> None:
    """Rebuild the named projections, or all of them, in one pass over history."""
    if unknown := [name for name in names if name not in _BY_NAME]:
        raise WrongUsage(
            f"there is no projection {', '.join(unknown)}; there are {', '.join(_BY_NAME)}"
        )
    keys = installation_keys(settings, services.database_url)
    chosen = [_BY_NAME[name] for name in dict.fromkeys(names)] or list(ALL)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("rebuilding", total=None)

        def show(reached: int, target: int) -> None:
            bar.update(task, completed=reached, total=target)

        try:
            position = asyncio.run(rebuild_tables(services.database_url, keys, chosen, show))
        except CannotRebuild as error:
            raise CommandFailed(str(error)) from None
    for projection in chosen:
        Console().print(f"{projection.name}: rebuilt to position {position}", highlight=False)


class _Rate(ProgressColumn):
    """Events a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} events/s" if task.speed else "")

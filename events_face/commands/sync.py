"""The command `sync`."""

from __future__ import annotations

import sys

import msgspec
import uvloop
from rich.console import Console
from rich.progress import Progress

from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings
from workers.provider.client import configured_source
from workers.provider.sync import run_sync

ITEMS_SHOWN = 20
"""Skipped items, and items with kept fields, that are printed."""


def sync(settings: Settings, services: Services, full: bool) -> None:
    """Run a sync and print the counts. Skipped items, with reasons, and fields that were kept as
    changed here are printed to stderr."""
    provider = configured_source(settings)
    if provider is None:
        raise CommandFailed(
            "EVENTS_PROVIDER_URL is not set: set it to the address of your events provider, in the"
            " environment or in .env"
        )
    keys = installation_keys(settings, services.database_url)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("Synchronising", total=None)
        result = uvloop.run(
            run_sync(
                services.database_url,
                provider,
                keys,
                full=full,
                report=lambda done, total: progress.update(bar, completed=done, total=total),
            )
        )
    counts = msgspec.structs.asdict(result.counts)
    if not result.counts.kept:
        del counts["kept"]
    summary = ", ".join(f"{outcome} {count}" for outcome, count in counts.items())
    sys.stdout.write(f"{summary}\n")
    for kept in result.kept_items[:ITEMS_SHOWN]:
        sys.stderr.write(
            f"kept as changed here {kept.event_id}: {', '.join(kept.fields) or 'deleted'}\n"
        )
    if (more := result.counts.kept - ITEMS_SHOWN) > 0:
        sys.stderr.write(f"kept {more} more\n")
    for skipped in result.skipped_items[:ITEMS_SHOWN]:
        sys.stderr.write(f"skipped {skipped.item}: {skipped.reason}\n")
    if (more := result.counts.skipped - ITEMS_SHOWN) > 0:
        sys.stderr.write(f"skipped {more} more\n")

"""The command `projector`."""

from __future__ import annotations

from projections.projector.projector import run
from projections.registry import ALL
from runtime.embedded.services import Services
from runtime.settings import Settings


def projector(settings: Settings, services: Services) -> None:
    """Keep all read tables up to date, until SIGTERM or SIGINT."""
    run(settings, services, ALL)

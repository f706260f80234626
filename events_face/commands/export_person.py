"""The command `export-person`: all that is known of one person, as JSON."""

from __future__ import annotations

import asyncio
import sys
from uuid import uuid4

import msgspec

from domain.application import APPLICATION
from domain.audit.disclosures import RecordPersonExport
from domain.core.values import Email, Invalid
from domain.history.batch import Origin
from domain.history.decider import Decider
from domain.history.store import connect
from projections.person_export import PersonExport, export_person
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings


def export(settings: Settings, services: Services, email: str) -> None:
    """Print the export, after it was recorded."""
    try:
        address = Email.parse(email)
    except Invalid as error:
        raise CommandFailed(f"the email {error}") from None
    keys = installation_keys(settings, services.database_url)

    async def run() -> PersonExport:
        async with await connect(services.database_url) as connection:
            exported = await export_person(connection, keys, address)
            command = RecordPersonExport(visitor_ids=exported.visitor_ids)
            origin = Origin(actor="system:cli", correlation_id=str(uuid4()))
            await Decider(keys, APPLICATION).execute_one(connection, command, origin)
            return exported

    text = msgspec.json.format(msgspec.json.encode(asyncio.run(run())))
    sys.stdout.write(f"{text.decode()}\n")

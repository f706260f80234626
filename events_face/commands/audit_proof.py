"""The commands `audit verify`, `prove`, `check-proof`, `checkpoint` and `public-key`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from psycopg import AsyncConnection
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from domain.audit.entry import log_entry
from domain.history.codec import to_json
from domain.seals.checkpoints import Checkpoint, is_signed_by
from domain.seals.proofs import BadProof, CannotProve, Proof
from domain.seals.proofs import check as check_against
from domain.seals.proofs import prove as prove_position
from domain.seals.seal import newest_checkpoint
from domain.seals.signing import from_pem, key_id, to_pem
from domain.seals.verifying import Verdict
from domain.seals.verifying import verify as verify_history
from events_face.commands import seats
from events_face.commands.audit_output import printable
from events_face.commands.connection import with_connection
from runtime.embedded.services import Services, has_installation
from runtime.embedded.services import services as services_of
from runtime.errors import CommandFailed
from runtime.installation import signing_key
from runtime.secret_key import with_existing_key
from runtime.settings import Settings

MAX_SEAL_LAG = 10.0
"""Seconds without a seal, after which a warning is printed."""


def verify(settings: Settings, services: Services, *, checkpoint: Path | None, json: bool) -> None:
    """Print the verdict. Raises `CommandFailed` unless history is as it was sealed, and the seats
    as it says."""
    key = signing_key(settings, services.database_url).public_key()
    pinned = _pinned(checkpoint, key) if checkpoint else []
    verdict = with_connection(services, lambda connection: _verify(connection, key, pinned))
    if json:
        _print(msgspec.json.encode(verdict).decode())
    if trouble := _failure(verdict):
        raise CommandFailed(trouble)
    unsealed = verdict.unsealed
    if not json:
        newest = verdict.checkpoint
        _print(
            f"history is as it was sealed: {verdict.events} events, up to position"
            f" {newest.last_position}; not yet sealed: {unsealed.events}"
        )
    if _is_late(verdict):
        sys.stderr.write(f"warning: no seal for {unsealed.seconds:.0f} s: does a scheduler run?\n")
    if differing := seats.found_in(services.database_url):
        raise CommandFailed(f"{seats.in_words(differing)}: run `events-face seats recount`")


def checkpoint(settings: Settings, services: Services) -> None:
    """Print the newest checkpoint."""
    key = signing_key(settings, services.database_url).public_key()
    newest = with_connection(services, lambda connection: newest_checkpoint(connection, key))
    if newest.tree_size == 0:
        raise CommandFailed("nothing is sealed yet: does a scheduler run?")
    _print(msgspec.json.encode(newest).decode())


def public_key(settings: Settings, services: Services) -> None:
    """Print the public key as PEM."""
    _print(to_pem(signing_key(settings, services.database_url).public_key()).rstrip())


def prove(settings: Settings, services: Services, *, position: int) -> None:
    """Print the proof as JSON."""
    key = signing_key(settings, services.database_url).public_key()
    try:
        proof = with_connection(
            services, lambda connection: prove_position(connection, key, position)
        )
    except CannotProve as error:
        raise CommandFailed(str(error)) from None
    _print(msgspec.json.format(msgspec.json.encode(proof), indent=2).decode())


def check_proof(settings: Settings, *, file: Path, public_key: Path | None) -> None:
    """Print what the proof proves, and the key. The key is never taken from the proof: a forged
    proof would contain the key of its author."""
    try:
        proof = msgspec.json.decode(_read(file), type=Proof)
    except msgspec.DecodeError as error:
        raise CommandFailed(f"{file} does not contain a proof: {error}") from None
    key = _public_key_in(public_key) if public_key else _public_key_of_installation(settings)
    try:
        check_against(proof, key)
    except BadProof as error:
        raise CommandFailed(f"this proves nothing: {error}") from None
    event, checkpoint = proof.event, proof.checkpoint
    _print(
        f"proven: {printable(event.topic or '')}, version {event.originator_version} of"
        f" {event.originator_id}, is at position {event.position} of history, as sealed with key"
        f" {key_id(key)} by {checkpoint.sealed_at:%Y-%m-%dT%H:%M:%SZ}"
        f" over {checkpoint.tree_size} events"
    )
    shown = log_entry(
        event.position,
        event.originator_id,
        event.originator_version,
        event.topic,
        event.state,
        has_key=True,  # unknown here; the personal data stays encrypted in any case
    )
    _print(printable(to_json(shown).decode()))


async def _verify(
    connection: AsyncConnection[Any], key: Ed25519PublicKey, pinned: Sequence[Checkpoint]
) -> Verdict:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("verifying", total=None)
        return await verify_history(
            connection,
            key,
            pinned,
            lambda done, total: bar.update(task, completed=done, total=total),
        )


def _failure(verdict: Verdict) -> str | None:
    """Why the verification failed, in one line; None if it did not."""
    if first := verdict.first:
        every = ", ".join(f"{count} {kind}" for kind, count in verdict.counts.items())
        return (
            f"history is not as it was sealed: at position {first.position} {first.what} ({every})"
        )
    if verdict.checkpoint.tree_size == 0 and _is_late(verdict):
        return "nothing is sealed, so nothing is proven: does a scheduler run?"
    return None


def _is_late(verdict: Verdict) -> bool:
    unsealed = verdict.unsealed
    return unsealed.events > 0 and (unsealed.seconds is None or unsealed.seconds > MAX_SEAL_LAG)


def _pinned(file: Path, key: Ed25519PublicKey) -> list[Checkpoint]:
    """The checkpoints in the file. Raises `CommandFailed` when there is none, or when the
    installation did not sign one of them."""
    pinned = []
    for number, line in enumerate(_read(file).splitlines(), 1):
        try:
            checkpoint = msgspec.json.decode(line, type=Checkpoint)
        except msgspec.DecodeError as error:
            raise CommandFailed(f"{file}, line {number}: not a checkpoint: {error}") from None
        if not is_signed_by(checkpoint, key):
            raise CommandFailed(
                f"{file}, line {number}: it was changed, or not signed with the key of this"
                f" installation ({checkpoint.key_id} in the file, {key_id(key)} here)"
            )
        pinned.append(checkpoint)
    if not pinned:
        raise CommandFailed(f"{file} does not contain a checkpoint")
    return pinned


def _public_key_in(file: Path) -> Ed25519PublicKey:
    try:
        return from_pem(_read(file))
    except ValueError:
        raise CommandFailed(f"{file} does not contain an Ed25519 public key") from None


def _public_key_of_installation(settings: Settings) -> Ed25519PublicKey:
    if settings.database_url is None and not has_installation(settings):
        raise CommandFailed("there is no installation here: add --public-key")
    with_key = with_existing_key(settings)
    with services_of(with_key) as services:
        return signing_key(with_key, services.database_url).public_key()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}") from None


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")

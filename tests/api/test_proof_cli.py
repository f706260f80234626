"""The `audit` commands that prove: what they print, and how they end."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.seals.checkpoints import Checkpoint
from domain.seals.signing import to_pem
from domain.seals.verifying import Verdict
from tests.support.installation import Installation
from tests.support.processes import Finished, events_face, events_face_command, run
from tests.support.sealed_history import HOLE, LAST, seal_all

pytestmark = pytest.mark.anyio


def elsewhere(folder: Path, *words: str) -> Finished:
    """Run a sub-command where there is no installation."""
    folder.mkdir()
    done = run(events_face_command(*words), env={"PATH": os.environ["PATH"]}, cwd=folder)
    assert list(folder.iterdir()) == []
    return Finished(done.returncode, done.stdout, done.stderr)


async def change(installation: Installation, position: int) -> None:
    await installation.connection.execute(
        "UPDATE history_events SET state = state || ' ' WHERE notification_id = %s", [position]
    )


async def test_verify_reports_an_unchanged_history(
    sealed_history: Installation, surroundings: dict[str, str]
) -> None:
    await sealed_history.event("Another")
    ran = events_face(surroundings, "audit", "verify")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"history is as it was sealed: {LAST - 1} events, up to position {LAST};"
        " not yet sealed: 1\n"
    )


async def test_verify_names_the_first_position_that_was_changed(
    sealed_history: Installation, surroundings: dict[str, str]
) -> None:
    for position in (23, 12):
        await change(sealed_history, position)
    ran = events_face(surroundings, "audit", "verify")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "events-face: history is not as it was sealed: at position 12 the event is not the one"
        " that was sealed (2 changed)\n"
    )
    ran = events_face(surroundings, "audit", "verify", "--json")
    assert ran.code == 1
    verdict = msgspec.json.decode(ran.out, type=Verdict)
    assert not verdict.genuine
    assert verdict.counts == {"changed": 2}


async def test_verify_recounts_the_seats(
    sealed_history: Installation, surroundings: dict[str, str]
) -> None:
    await sealed_history.connection.execute("UPDATE event_seats SET taken = taken - 1")
    ran = events_face(surroundings, "audit", "verify")
    assert ran.code == 1
    assert ran.out.startswith("history is as it was sealed: ")
    assert f"{LAST - 3} taken instead of {LAST - 2}: run `events-face seats recount`" in ran.err


async def test_verify_warns_of_events_that_are_not_sealed(
    sealed_history: Installation, surroundings: dict[str, str]
) -> None:
    await sealed_history.event("Another")
    await sealed_history.connection.execute(
        """
        UPDATE history_events
        SET state = overlay(state PLACING '2020' FROM position('"timestamp":"' IN state) + 13)
        WHERE notification_id = %s
        """,
        [LAST + 1],
    )
    ran = events_face(surroundings, "audit", "verify")
    assert ran.code == 0
    assert "does a scheduler run?" in ran.err
    await sealed_history.connection.execute("DELETE FROM history_seals")
    await sealed_history.connection.execute(
        """
        UPDATE history_events
        SET state = overlay(state PLACING '2020' FROM position('"timestamp":"' IN state) + 13)
        """
    )
    ran = events_face(surroundings, "audit", "verify")
    assert ran.code == 1
    assert "nothing is sealed" in ran.err


async def test_a_pinned_checkpoint_finds_history_rewritten_with_its_seals(
    sealed_history: Installation,
    signing_key: Ed25519PrivateKey,
    surroundings: dict[str, str],
    tmp_path: Path,
) -> None:
    pinned = tmp_path / "pinned.jsonl"
    ran = events_face(surroundings, "audit", "checkpoint")
    assert msgspec.json.decode(ran.out, type=Checkpoint).last_position == LAST
    pinned.write_text(ran.out)
    verify = ("audit", "verify", "--checkpoint", str(pinned))
    assert events_face(surroundings, *verify).code == 0

    await change(sealed_history, 12)
    await sealed_history.connection.execute("DELETE FROM history_seals")
    await seal_all(sealed_history.connection, signing_key)
    assert events_face(surroundings, "audit", "verify").code == 0
    ran = events_face(surroundings, *verify)
    assert ran.code == 1
    assert f"at position 1 the events up to position {LAST} are not those pinned" in ran.err

    pinned.write_text(pinned.read_text().replace(f'"tree_size":{LAST - 1}', '"tree_size":3'))
    ran = events_face(surroundings, *verify)
    assert ran.code == 1
    assert "pinned.jsonl, line 1: it was changed" in ran.err
    pinned.write_text("")
    assert events_face(surroundings, *verify).code == 1


async def test_a_proof_is_checked_elsewhere_with_the_public_key_alone(
    sealed_history: Installation, surroundings: dict[str, str], tmp_path: Path
) -> None:
    proof, key, other = tmp_path / "proof.json", tmp_path / "key.pem", tmp_path / "other.pem"
    proof.write_text(events_face(surroundings, "audit", "prove", "12").out)
    key.write_text(events_face(surroundings, "audit", "public-key").out)
    other.write_text(to_pem(Ed25519PrivateKey.generate().public_key()))
    check = ("audit", "check-proof", str(proof))

    ran = elsewhere(tmp_path / "1", *check, "--public-key", str(key))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("proven: Visitor.Registered, version 1 of ")
    assert "is at position 12 of history" in ran.out

    ran = elsewhere(tmp_path / "2", *check, "--public-key", str(other))
    assert (ran.code, ran.out) == (1, "")
    assert "this proves nothing: its checkpoint is not signed by the key" in ran.err

    ran = elsewhere(tmp_path / "3", *check)
    assert (ran.code, ran.out) == (1, "")
    assert "add --public-key" in ran.err

    assert events_face(surroundings, *check).code == 0  # by the key of the installation
    proof.write_text(proof.read_text().replace('"position": 12', '"position": 13'))
    ran = elsewhere(tmp_path / "4", *check, "--public-key", str(key))
    assert (ran.code, ran.out) == (1, "")


async def test_an_impossible_proof_or_unreadable_file_is_reported_in_one_line(
    sealed_history: Installation, surroundings: dict[str, str], tmp_path: Path
) -> None:
    ran = events_face(surroundings, "audit", "prove", str(HOLE))
    assert (ran.code, ran.err) == (1, f"events-face: history has no event at position {HOLE}\n")
    nonsense = tmp_path / "nonsense"
    for words in (
        ("check-proof", str(nonsense)),
        ("check-proof", str(nonsense), "--public-key", str(nonsense)),
        ("verify", "--checkpoint", str(nonsense)),
    ):
        ran = events_face(surroundings, "audit", *words)
        assert ran.code == 1
        assert ran.err.count("\n") == 1
        assert str(nonsense) in ran.err
        nonsense.write_text("nonsense")


async def test_there_is_no_checkpoint_before_anything_is_sealed(
    surroundings: dict[str, str],
) -> None:
    ran = events_face(surroundings, "audit", "checkpoint")
    assert (ran.code, ran.out) == (1, "")
    assert "nothing is sealed yet" in ran.err
    ran = events_face(surroundings, "audit", "verify")
    assert ran.code == 0
    assert ran.out == "history is as it was sealed: 0 events, up to position 0; not yet sealed: 0\n"

"""`make check` fails when an event class changes under a version that history may hold."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from domain.areas import Area
from domain.core.aggregate import EVENT_TYPES, DomainEvent, stored_as
from tests.domain.event_shapes import Shape, faults, shape, with_new_versions
from tests.support.processes import Done, run

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("invented_events")

Colour = Literal["red", "blue"]


class Spot(msgspec.Struct, frozen=True):
    size: int


class Painted(DomainEvent[Area], frozen=True, kw_only=True):
    """As it was."""

    colour: Colour
    at: datetime
    spots: tuple[Spot, ...] = ()


class DescribedAnew(DomainEvent[Area], frozen=True, kw_only=True):
    """Another name, other words, another order: all the same when stored."""

    spots: tuple[Spot, ...] = ()
    at: datetime
    """When."""
    colour: Literal["blue", "red"]


class WithAnotherField(Painted, frozen=True, kw_only=True):
    by: str | None = None


class WithAnotherType(DomainEvent[Area], frozen=True, kw_only=True):
    colour: Colour
    at: str
    spots: tuple[Spot, ...] = ()


class WithMoreColours(DomainEvent[Area], frozen=True, kw_only=True):
    colour: Literal["red", "blue", "green"]
    at: datetime
    spots: tuple[Spot, ...] = ()


class WithAnotherDefault(DomainEvent[Area], frozen=True, kw_only=True):
    colour: Colour = "red"
    at: datetime
    spots: tuple[Spot, ...] = ()


class PaintedOnce(DomainEvent[Area], frozen=True, kw_only=True):
    """What a second version may be."""

    colour: Colour

    @classmethod
    def upcasters(cls) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], ...]:
        return (lambda data: {"colour": data["colour"]},)


def painted(tmp_path: Path) -> tuple[dict[str, Shape], Path]:
    """The shapes as they are once `Area.Painted` has become a part of history, and a folder with
    examples of the two versions that tests are about."""
    stored_as("Area.Painted", phrase="painted the area")(Painted)
    shapes = with_new_versions({})
    del EVENT_TYPES["Area.Painted"]
    for version in (1, 2):
        (tmp_path / f"Area.Painted.v{version}.json").touch()
    return shapes, tmp_path


def about_it(recorded: dict[str, Shape], golden: Path) -> list[str]:
    return [fault for fault in faults(recorded, golden) if fault.startswith("Area.Painted")]


@pytest.mark.parametrize("same", [Painted, DescribedAnew])
def test_an_unchanged_event_class_is_not_reported(
    same: type[DomainEvent[Any]], tmp_path: Path
) -> None:
    recorded, golden = painted(tmp_path)
    stored_as("Area.Painted", phrase="painted the area")(same)
    assert about_it(recorded, golden) == []


@pytest.mark.parametrize(
    "changed", [WithAnotherField, WithAnotherType, WithMoreColours, WithAnotherDefault]
)
def test_a_changed_class_without_a_new_version_is_an_error(
    changed: type[DomainEvent[Any]], tmp_path: Path
) -> None:
    recorded, golden = painted(tmp_path)
    stored_as("Area.Painted", phrase="painted the area")(changed)
    (fault,) = about_it(recorded, golden)
    assert fault.startswith("Area.Painted has changed, and is version 1 still: give it version 2")
    assert with_new_versions(recorded) == recorded


def test_a_field_that_becomes_personal_is_a_change(tmp_path: Path) -> None:
    recorded, golden = painted(tmp_path)
    stored_as("Area.Painted", phrase="painted the area", personal="colour")(Painted)
    assert len(about_it(recorded, golden)) == 1


def test_a_removed_class_is_an_error(tmp_path: Path) -> None:
    recorded, golden = painted(tmp_path)
    (fault,) = about_it(recorded, golden)
    assert fault == "Area.Painted.v1 is gone, but history may hold such events: bring it back"


def test_a_new_version_needs_an_upcaster_an_example_and_to_be_recorded(tmp_path: Path) -> None:
    recorded, golden = painted(tmp_path)
    stored_as("Area.Painted", phrase="painted the area", version=2)(WithAnotherField)
    (golden / "Area.Painted.v2.json").unlink()
    upcasters, unrecorded, example = about_it(recorded, golden)
    assert upcasters == "Area.Painted is version 2 and has 0 upcasters: it takes 1"
    assert unrecorded.startswith("Area.Painted.v2 is not recorded: run ")
    assert example.startswith("Area.Painted.v2 has no stored example: ")


def test_a_complete_new_version_is_accepted_once_it_is_recorded(
    tmp_path: Path,
) -> None:
    recorded, golden = painted(tmp_path)
    stored_as("Area.Painted", phrase="painted the area", version=2)(PaintedOnce)
    both = with_new_versions(recorded)
    assert both["Area.Painted.v1"] == recorded["Area.Painted.v1"]
    assert both["Area.Painted.v2"] == shape(PaintedOnce)
    assert about_it(both, golden) == []
    EVENT_TYPES["Area.Painted"].schema_version = 1
    assert "Area.Painted.v2 is gone, but history may hold such events: bring it back" in about_it(
        both, golden
    )


@pytest.mark.parametrize(
    ("changed", "may_be"),
    [(WithAnotherField, True), (PaintedOnce, False), (WithAnotherType, False)],
)
def test_an_event_written_as_an_older_version_adds_only_fields_that_may_be_ignored(
    changed: type[DomainEvent[Any]], may_be: bool, tmp_path: Path
) -> None:
    recorded, golden = painted(tmp_path)
    stored_as("Area.Painted", phrase="painted the area", version=2, written_as=1)(changed)
    found = [fault for fault in about_it(with_new_versions(recorded), golden) if "written" in fault]
    assert len(found) == (0 if may_be else 1)


def test_make_check_fails_and_says_what_to_do(tmp_path: Path) -> None:
    """On a copy of the domain in which one field has another name."""
    shutil.copytree(ROOT / "domain", tmp_path / "domain")
    shutil.copytree(ROOT / "tests" / "domain", tmp_path / "tests" / "domain")
    (tmp_path / "tests" / "__init__.py").touch()

    def check() -> Done:
        command = [sys.executable, "-m", "tests.domain.event_shapes"]
        environ = {"PYTHONPATH": str(tmp_path)}
        return run(command, cwd=tmp_path, env=environ)

    done = check()
    assert (done.returncode, done.stderr) == (0, "")
    module = tmp_path / "domain" / "notifications.py"
    module.write_text(module.read_text().replace("reason: str", "cause: str"))
    done = check()
    assert done.returncode == 1
    assert done.stderr.startswith("Notification.Failed has changed, and is version 2 still: ")
    assert "tests.domain.event_shapes" in (ROOT / "Makefile").read_text()

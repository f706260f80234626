"""Stored events are for ever, so an event class never changes under a version that it has had.

    python -m tests.domain.event_shapes          # what `make check` runs
    python -m tests.domain.event_shapes --add    # records versions that are new

What each version looks like is kept in `event_shapes.json`, and is only ever added to. An example
of each, as it is stored, lies in `golden/` (see `test_codec.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

import domain.application  # noqa: F401  it imports every event class
from domain.core.aggregate import EVENT_TYPES, DomainEvent

HERE = Path(__file__).parent
RECORDED = HERE / "event_shapes.json"
GOLDEN = HERE / "golden"

Shape = dict[str, Any]
"""The stored fields with their types and defaults, and which of them is personal."""


def shape(event_class: type[DomainEvent[Any]]) -> Shape:
    """The stored fields, independent of their Python names and order."""
    data = _plain(inspect.type_info(event_class))
    described = {"personal": event_class.personal_field, "data": data}
    return msgspec.json.decode(msgspec.json.encode(described), type=Shape)


def faults(recorded: Mapping[str, Shape], golden: Path = GOLDEN) -> Iterator[str]:
    """What is wrong with the event classes, each as one line that says what to do."""
    for topic, event_class in sorted(EVENT_TYPES.items()):
        version = event_class.schema_version
        if recorded.get(_key(topic, version), shape(event_class)) != shape(event_class):
            yield (
                f"{topic} has changed, and is version {version} still: give it version "
                f"{version + 1} and an upcaster from {version}, or take the change back"
            )
        older = event_class.written_as
        was = recorded.get(_key(topic, older))
        if was and older != version and not _only_adds(was, shape(event_class)):
            yield (
                f"{topic} cannot be written as version {older}: what has come since must be "
                f"fields with defaults"
            )
        steps = len(event_class.upcasters())
        if steps != version - 1:
            yield f"{topic} is version {version} and has {steps} upcasters: it takes {version - 1}"
        for number in range(1, version + 1):
            if _key(topic, number) not in recorded:
                yield f"{_key(topic, number)} is not recorded: {_RECORD}"
            if not (golden / f"{_key(topic, number)}.json").exists():
                yield f"{_key(topic, number)} has no stored example: {_EXAMPLE}"
    for key in sorted(recorded):
        topic, _, version_of_it = key.rpartition(".v")
        known = EVENT_TYPES.get(topic)
        if known is None or known.schema_version < int(version_of_it):
            yield f"{key} is gone, but history may hold such events: bring it back"


def _only_adds(older: Shape, newer: Shape) -> bool:
    """Whether what is stored of the newer one, its new fields left alone, is as of the older."""
    return older["personal"] == newer["personal"] and _extends(older["data"], newer["data"])


def _extends(older: Any, newer: Any) -> bool:
    """Also the fields of structs inside: a release ignores those that it does not know."""
    match older, newer:
        case dict(), dict():
            added = [field for name, field in newer.items() if name not in older]
            return all(
                name in newer and _extends(field, newer[name]) for name, field in older.items()
            ) and all(isinstance(field, dict) and "default" in field for field in added)
        case list(), list():
            return len(older) == len(newer) and all(map(_extends, older, newer))
        case _:
            return bool(older == newer)


_RECORD = "run `.venv/bin/python -m tests.domain.event_shapes --add`"
_EXAMPLE = "add one to EXAMPLES and run `.venv/bin/python -m tests.domain.test_codec`"


def with_new_versions(recorded: Mapping[str, Shape]) -> dict[str, Shape]:
    """The recorded shapes, as they are, and those of versions that are not among them."""
    present = {_key(topic, c.schema_version): shape(c) for topic, c in EVENT_TYPES.items()}
    return dict(sorted({**present, **recorded}.items()))


def _key(topic: str, version: int) -> str:
    return f"{topic}.v{version}"


def _plain(kind: Any) -> Any:
    """A type without its name in Python, which means nothing to what is stored."""
    match kind:
        case inspect.StructType(fields=fields):
            return {field.encode_name: _field(field) for field in sorted(fields, key=_name)}
        case inspect.EnumType() | inspect.CustomType():
            raise TypeError(f"events hold plain types and structs of them, not {kind.cls}")
        case inspect.UnionType(types=either):
            return {"either": sorted(map(_plain, either), key=msgspec.json.encode)}
        case inspect.LiteralType(values=values):
            return {"one of": sorted(values)}
        case inspect.Type():
            name = type(kind).__name__.removesuffix("Type").lower()
            facts = msgspec.structs.asdict(kind)
            described = {fact: _plain(value) for fact, value in facts.items() if value is not None}
            return {name: described} if described else name
        case tuple() | list():
            return [_plain(item) for item in kind]
        case _:
            return kind


def _field(field: inspect.Field) -> Any:
    if field.required:
        return _plain(field.type)
    made = field.default_factory
    default = field.default if made is msgspec.NODEFAULT else made()
    return {"type": _plain(field.type), "default": default}


def _name(field: inspect.Field) -> str:
    return field.encode_name


def _stored(recorded: Mapping[str, Shape]) -> bytes:
    """A line for each."""
    lines = [f'"{key}": {msgspec.json.encode(s).decode()}' for key, s in recorded.items()]
    return "{{\n{}\n}}\n".format(",\n".join(lines)).encode()


def main() -> int:
    """Exits with 1 when something is wrong."""
    recorded = msgspec.json.decode(RECORDED.read_bytes(), type=dict[str, Shape])
    if "--add" in sys.argv[1:]:
        recorded = with_new_versions(recorded)
        RECORDED.write_bytes(_stored(recorded))
    found = list(faults(recorded))
    sys.stderr.writelines(f"{fault}\n" for fault in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""Types of fields in bodies: how each is parsed, and its schema for OpenAPI."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

import msgspec
from litestar.openapi.spec import OpenAPIFormat, OpenAPIType, Schema
from msgspec import UnsetType

from api.identity.passwords import Password, Secret
from domain.accounts import Role
from domain.answers import GivenAnswers
from domain.api_keys import MAX_EVENTS, GraceSeconds, Scope
from domain.check_ins import Gate, Nonce, ScannedText
from domain.core.characters import CONTROL, NOT_FOR_NAMES
from domain.core.durations import Duration, LongDuration
from domain.core.times import Timezone, parse_deadline, parse_moment
from domain.core.values import (
    Capacity,
    Days,
    Description,
    Email,
    FullName,
    Invalid,
    Line,
    Position,
    Reason,
    StoredText,
    Text,
    Username,
)
from domain.details import MAX_REMINDERS
from domain.feed import sources  # noqa: F401  registers all types of items
from domain.feed.item import ITEM_TYPES, ItemType
from domain.questions import MaxLength, Option, Options, QuestionId
from domain.webhooks import WebhookUrl

Parse = Callable[[object], object]
"""Converts a JSON value. Raises `domain.core.values.Invalid`."""


class FieldType(msgspec.Struct, frozen=True):
    parse: Parse
    schema: Schema


def field_type(annotation: Any) -> FieldType:
    """The field type of an annotation: one of `_TYPES` or a Literal, perhaps in a union with None
    (null is allowed) and `UnsetType` (the field may be left out)."""
    is_union = get_origin(annotation) in {Union, types.UnionType}
    alternatives = frozenset(get_args(annotation) if is_union else [annotation])
    value_types = alternatives - {types.NoneType, UnsetType}
    found = _TYPES.get(value_types) or _choice(*value_types)
    return _nullable(found) if types.NoneType in alternatives else found


def _nullable(field: FieldType) -> FieldType:
    return FieldType(
        lambda raw: None if raw is None else field.parse(raw),
        Schema(one_of=[field.schema, Schema(type=OpenAPIType.NULL)]),
    )


def _choice(literal: Any) -> FieldType:
    if get_origin(literal) is not Literal:
        raise TypeError(f"a field of a body cannot have the type {literal!r}")
    choices = get_args(literal)

    def parse(raw: object) -> object:
        if raw not in choices:
            raise Invalid(one_of(choices))
        return raw

    return FieldType(parse, Schema(type=OpenAPIType.STRING, enum=choices))


def one_of(choices: Sequence[str]) -> str:
    """The message that a value must be one of these."""
    *others, last = (f'"{choice}"' for choice in choices)
    return f"must be {', '.join(others)} or {last}" if others else f"must be {last}"


def _text(kind: type[Line] | type[Secret]) -> FieldType:
    schema = Schema(type=OpenAPIType.STRING, min_length=kind.min_length, max_length=kind.max_length)
    if issubclass(kind, Line):
        # Also for a stored name, which is checked as a new one unless it is unchanged.
        is_name = kind.is_new or issubclass(kind, StoredText)
        not_for_names = [NOT_FOR_NAMES] if is_name else []
        schema.pattern = _without(CONTROL, kind.refused, *not_for_names)
        schema.description = "Leading and trailing space is removed."
    elif issubclass(kind, Password):
        schema.pattern = _without(kind.refused)
    return FieldType(kind.parse, schema)


def _without(*refused: re.Pattern[str]) -> str:
    """A pattern for texts without these characters that JavaScript, Python and Rust accept. Rust
    refuses surrogates in patterns; valid texts never contain them."""
    characters = "".join(dict.fromkeys(pattern.pattern[1:-1] for pattern in refused))
    characters = characters.replace("\ud800-\udfff", "")
    escaped = (f"\\u{ord(c):04x}" if c != "-" and ord(c) < 0x10000 else c for c in characters)
    return f"^[^{''.join(escaped)}]*$"


def _parse_id(raw: object) -> UUID:
    if isinstance(raw, str):
        try:
            return UUID(raw)
        except ValueError:
            pass
    raise Invalid("must be a UUID")


def _parse_boolean(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    raise Invalid("must be true or false")


_STRING = OpenAPIType.STRING

_TIME = Schema(
    any_of=[
        Schema(type=_STRING, format=OpenAPIFormat.DATE_TIME),
        Schema(type=_STRING, format=OpenAPIFormat.DATE),
        Schema(type=_STRING, pattern=r"^\d{2}\.\d{2}\.\d{4}$", description="MM.DD.YYYY"),
    ]
)

_DURATION = Schema(
    type=_STRING,
    pattern=r"^(P([1-9]|[1-5]\d|60)D|PT([1-9]|[1-9]\d{1,2}|1[0-3]\d{2}|14[0-3]\d|1440)[HM])$",
    description="An ISO 8601 duration of a minute to 60 days, such as P1D, PT2H or P1DT12H.",
)
"""The pattern says less than is accepted: a pattern cannot say how long a duration is."""


def _parse_reminders(raw: object) -> tuple[Duration, ...]:
    if not isinstance(raw, list):
        raise Invalid("must be a list of durations such as P1D or PT2H")
    if len(raw) > MAX_REMINDERS:
        raise Invalid(f"must be at most {MAX_REMINDERS}")
    return tuple(Duration.parse(each) for each in raw)


def _lines(kind: type[Description]) -> FieldType:
    return FieldType(
        kind.parse,
        Schema(
            type=_STRING,
            max_length=kind.max_length,
            pattern=_without(kind.refused),
            description="Plain text. Leading and trailing space is removed.",
        ),
    )


def _set_of(each: FieldType, what: str, *, least: int = 1, most: int | None = None) -> FieldType:
    """A list in which no value counts twice; `what` is in it, in the plural."""

    def parse(raw: object) -> object:
        if not isinstance(raw, list):
            raise Invalid(f"must be a list of {what}")
        values = tuple(dict.fromkeys(each.parse(item) for item in raw))
        if len(values) < least:
            raise Invalid(f"must have at least {least} of the {what}")
        if most is not None and len(values) > most:
            raise Invalid(f"must have at most {most} {what}")
        return values

    schema = Schema(
        type=OpenAPIType.ARRAY, items=each.schema, min_items=least or None, max_items=most
    )
    return FieldType(parse, schema)


def _parse_item_type(raw: object) -> object:
    if not isinstance(raw, str) or raw not in ITEM_TYPES:
        raise Invalid(f"each {one_of(list(ITEM_TYPES))}")
    return raw


_ANSWER = Schema(
    one_of=[
        Schema(type=OpenAPIType.NULL),
        Schema(type=_STRING),
        Schema(type=OpenAPIType.BOOLEAN),
        Schema(type=OpenAPIType.NUMBER),
        Schema(type=OpenAPIType.ARRAY, items=Schema(type=_STRING)),
    ]
)

_TYPES: dict[frozenset[Any], FieldType] = {
    frozenset({Line}): _text(Line),
    frozenset({StoredText}): _text(StoredText),
    frozenset({Text}): _text(Text),
    frozenset({FullName}): _text(FullName),
    frozenset({Username}): _text(Username),
    frozenset({Password}): _text(Password),
    frozenset({Secret}): _text(Secret),
    frozenset({Email}): FieldType(
        Email.parse,
        Schema(type=_STRING, format=OpenAPIFormat.EMAIL, max_length=Email.max_length),
    ),
    frozenset({Description}): _lines(Description),
    frozenset({Reason}): _lines(Reason),
    frozenset({Days}): FieldType(
        Days.parse, Schema(type=OpenAPIType.INTEGER, minimum=0, maximum=Days.most)
    ),
    frozenset({Capacity}): FieldType(
        Capacity.parse, Schema(type=OpenAPIType.INTEGER, minimum=0, maximum=Capacity.most)
    ),
    frozenset({Timezone}): FieldType(
        Timezone.parse,
        Schema(
            type=_STRING,
            pattern=r"^[A-Za-z0-9/_+-]+$",
            description="Such as Europe/Berlin.",
        ),
    ),
    frozenset({tuple[Duration, ...]}): FieldType(
        _parse_reminders,
        Schema(type=OpenAPIType.ARRAY, items=_DURATION, max_items=MAX_REMINDERS),
    ),
    frozenset({tuple[ItemType, ...]}): _set_of(
        FieldType(_parse_item_type, Schema(type=_STRING, enum=list(ITEM_TYPES))), "types", least=0
    ),
    frozenset({WebhookUrl}): FieldType(
        WebhookUrl.parse,
        Schema(type=_STRING, format=OpenAPIFormat.URI, max_length=WebhookUrl.max_length),
    ),
    frozenset({Position}): FieldType(
        Position.parse, Schema(type=OpenAPIType.INTEGER, minimum=0, maximum=Position.most)
    ),
    frozenset({Nonce}): FieldType(Nonce.parse, Schema(type=_STRING, pattern=Nonce.pattern)),
    frozenset({Gate}): _text(Gate),
    frozenset({ScannedText}): FieldType(
        ScannedText.parse, Schema(type=_STRING, max_length=ScannedText.max_length)
    ),
    frozenset({LongDuration}): FieldType(LongDuration.parse, _DURATION),
    frozenset({UUID}): FieldType(_parse_id, Schema(type=_STRING, format=OpenAPIFormat.UUID)),
    frozenset({tuple[UUID, ...]}): _set_of(
        FieldType(_parse_id, Schema(type=_STRING, format=OpenAPIFormat.UUID)),
        "events",
        most=MAX_EVENTS,
    ),
    frozenset({tuple[Scope, ...]}): _set_of(_choice(Scope), "scopes"),
    frozenset({tuple[Role, ...]}): _set_of(_choice(Role), "roles", least=0),
    frozenset({GraceSeconds}): FieldType(
        GraceSeconds.parse,
        Schema(type=OpenAPIType.INTEGER, minimum=0, maximum=GraceSeconds.most),
    ),
    frozenset({QuestionId}): FieldType(
        QuestionId.parse, Schema(type=_STRING, pattern=QuestionId.pattern)
    ),
    frozenset({Options}): FieldType(
        Options.parse,
        Schema(
            type=OpenAPIType.ARRAY,
            items=_text(Option).schema,
            unique_items=True,
            max_items=Options.most,
        ),
    ),
    frozenset({MaxLength}): FieldType(
        MaxLength.parse, Schema(type=OpenAPIType.INTEGER, minimum=1, maximum=MaxLength.most)
    ),
    frozenset({GivenAnswers}): FieldType(
        GivenAnswers.parse,
        Schema(
            type=OpenAPIType.OBJECT,
            additional_properties=_ANSWER,
            max_properties=GivenAnswers.most,
        ),
    ),
    frozenset({bool}): FieldType(_parse_boolean, Schema(type=OpenAPIType.BOOLEAN)),
    frozenset({datetime}): FieldType(parse_moment, _TIME),
    frozenset({datetime, date}): FieldType(parse_deadline, _TIME),
}
"""Types in the annotation -> field type."""

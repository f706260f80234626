"""Parses JSON bodies: each field by its declared type; the error names all invalid fields at once.

A handler declares `data: SomeStruct`, whose fields have the domain's value types. Litestar passes
the body to `JsonBody`, which parses it with a `Reader`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from litestar import Request
from litestar.dto import AbstractDTO
from litestar.handlers import BaseRouteHandler
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.typing import FieldDefinition
from msgspec import UNSET

from api.http.fields import field_type
from domain.core.errors import InvalidFields, ProblemError
from domain.core.values import Invalid

T = TypeVar("T", bound=msgspec.Struct)

Judge = Callable[[Mapping[str, Any]], dict[str, str]]
"""Values by field -> error messages by field."""


UNKNOWN = "is not a field of this call"

MAX_NAMED_FIELDS = 100
"""Unknown fields that one response names, at most."""

MAX_NAME_LENGTH = 100
"""Characters of a repeated name that a response shows, at most."""


class MalformedBody(ProblemError):
    """The body is not JSON in UTF-8"""

    status = 400
    slug = "malformed-body"  # of its subclasses too


class RepeatedName(MalformedBody):
    """The body has a name more than once in one object"""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.messages = {name[:MAX_NAME_LENGTH]: "is there more than once"}


class UnsupportedMediaType(ProblemError):
    """The body must be sent as application/json"""

    status = 415
    slug = "unsupported-media-type"  # of its subclasses too


class EncodedBody(UnsupportedMediaType):
    """The body must be sent without a Content-Encoding"""


class JsonBody(AbstractDTO[Any]):
    """Connects `Reader` with Litestar's `data` argument."""

    _readers: ClassVar[dict[str, Reader[Any]]] = {}

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: Any = None
    ) -> None:
        cls._readers[handler_id] = Reader(field_definition.annotation)

    def decode_bytes(self, value: bytes) -> Any:
        """Raises UnsupportedMediaType, MalformedBody, InvalidFields."""
        require_json(self.asgi_connection.scope["headers"])
        return self._reader_of(self.asgi_connection.route_handler).read(value)

    @classmethod
    @cache  # Litestar computes a handler's id on each access
    def _reader_of(cls, handler: Any) -> Reader[Any]:
        return cls._readers[handler.handler_id]

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any
    ) -> Schema:
        return cls._readers[handler_id].schema


def require_json(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Raises UnsupportedMediaType."""
    if not has_media_type(headers, b"application/json"):
        raise UnsupportedMediaType


def has_media_type(headers: Iterable[tuple[bytes, bytes]], media_type: bytes) -> bool:
    """Whether that is the type of the body."""
    for name, value in headers:
        if name == b"content-type":
            return value.partition(b";")[0].strip().lower() == media_type
    return False


async def refuse_fields_of_no_use(request: Request[Any, Any, Any]) -> None:
    """Refuse fields in the body of a call that takes no body. Raises InvalidFields."""
    if request.method in _WITHOUT_BODY or takes_body(request.route_handler):
        return
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        members = msgspec.json.decode(await request.body())
        if isinstance(members, dict) and members:
            raise InvalidFields(**dict.fromkeys(list(members)[:MAX_NAMED_FIELDS], UNKNOWN))


_WITHOUT_BODY = {"GET", "HEAD", "OPTIONS"}


@cache
def takes_body(handler: BaseRouteHandler) -> bool:
    return "data" in handler.parsed_fn_signature.parameters or "accepts" in handler.opt


def judges(*body_types: type[msgspec.Struct]) -> Callable[[Judge], Judge]:
    """Registers a function that finds valid fields of a body that are wrong in combination.

    It is called only if other fields are invalid, so that one error names all of them. If all
    fields are valid, the domain checks the combination.
    """

    def register(judge: Judge) -> Judge:
        _JUDGES.update(dict.fromkeys(body_types, judge))
        return judge

    return register


_JUDGES: dict[type[msgspec.Struct], Judge] = {}


def _no_judge(_: Mapping[str, Any]) -> dict[str, str]:
    return {}


class Reader(Generic[T]):
    """Parses bodies into one struct type; a field with a default may be left out."""

    def __init__(self, body_type: type[T]) -> None:
        fields = msgspec.structs.fields(body_type)
        as_sent = msgspec.defstruct(
            f"{body_type.__name__}AsSent",
            [(field.name, Any, UNSET) for field in fields],
            forbid_unknown_fields=True,
        )
        self._body_type = body_type
        self._as_sent = as_sent
        self._judge = _JUDGES.get(body_type, _no_judge)
        self._decoder = msgspec.json.Decoder(as_sent)
        typed = [(field.name, field_type(field.type), field.required) for field in fields]
        self._fields = [(name, type.parse, required) for name, type, required in typed]
        self.schema = Schema(
            title=body_type.__name__,
            type=OpenAPIType.OBJECT,
            properties={name: type.schema for name, type, _ in typed},
            required=[name for name, _, required in typed if required],
            additional_properties=False,
        )

    def read(self, body: bytes) -> T:
        """Raises MalformedBody, RepeatedName, or InvalidFields with a message for each invalid or
        unknown field."""
        sent, unknown = self._decode(body)
        given = sum(getattr(sent, name) is not UNSET for name, _, _ in self._fields)
        if body.count(b":") > given + len(unknown):
            _require_single_names(body)
        return self._parsed(sent, unknown)

    def read_form(self, fields: Mapping[str, object]) -> T:
        """The same for a form, whose unknown fields are ignored. Raises InvalidFields."""
        sent, _ = self._sorted_out(fields)
        return self._parsed(sent)

    def _sorted_out(self, members: Mapping[str, object]) -> tuple[Any, list[str]]:
        """The known fields, and the names of the unknown ones."""
        known = {name: members[name] for name, _, _ in self._fields if name in members}
        return self._as_sent(**known), [name for name in members if name not in known]

    def _parsed(self, sent: Any, unknown: Sequence[str] = ()) -> T:
        values: dict[str, object] = {}
        wrong: dict[str, str] = {}
        for name, parse, required in self._fields:
            raw = getattr(sent, name)
            if raw is not UNSET:
                try:
                    values[name] = parse(raw)
                except Invalid as error:
                    wrong[name] = str(error)
            elif required:
                wrong[name] = "is required"
        if wrong or unknown:
            wrong |= self._judge(values)
            in_order = {name: wrong[name] for name, _, _ in self._fields if name in wrong}
            raise InvalidFields(**in_order, **dict.fromkeys(unknown[:MAX_NAMED_FIELDS], UNKNOWN))
        return self._body_type(**values)

    def _decode(self, body: bytes) -> tuple[Any, list[str]]:
        """The raw fields, and the names of unknown ones. Raises MalformedBody, or InvalidFields if
        the JSON is not an object."""
        try:
            try:
                return self._decoder.decode(body), []
            except msgspec.ValidationError:
                members = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedBody from error
        if not isinstance(members, dict):
            raise InvalidFields(body="must be a JSON object")
        return self._sorted_out(members)


def _require_single_names(body: bytes) -> None:
    """Refuse repeated names, of which msgspec takes the last value. This parses the body a second
    time, so it runs only if the body has more colons than names. Raises RepeatedName."""

    def check(pairs: list[tuple[str, object]]) -> None:
        names = set[str]()
        for name, _ in pairs:
            if name in names:
                raise RepeatedName(name)
            names.add(name)

    with suppress(ValueError, RecursionError):  # a body that only msgspec accepts
        json.loads(body, object_pairs_hook=check, parse_int=str, parse_float=str)

"""Parses JSON bodies: each field by its declared type; the error names all invalid fields at once.

A handler declares `data: SomeStruct`, whose fields have the domain's value types. Litestar passes
the body to `JsonBody`, which parses it with a `Reader`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import islice
from typing import Annotated, Any, ClassVar, Generic, TypeVar, get_args, get_origin

import msgspec
from litestar import Request
from litestar.dto import AbstractDTO
from litestar.handlers import BaseRouteHandler
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.typing import FieldDefinition
from msgspec import UNSET

from api.http.fields import FieldType, field_type
from domain.core.errors import InvalidFields, ProblemError
from domain.core.phrases import Phrase
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


class InvalidBody(InvalidFields):
    """Some fields are not valid"""

    def __init__(self, values: Mapping[str, Any], messages: Mapping[str, str]) -> None:
        super().__init__(**messages)
        self.values = values
        """The valid ones, by field."""


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
        return self.reader_of(self.asgi_connection.route_handler).read(value)

    @classmethod
    @cache  # Litestar computes a handler's id on each access
    def reader_of(cls, handler: Any) -> Reader[Any]:
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
    """Registers a function that finds valid fields of a body that are wrong in combination. What it
    takes a query to find is added by `api.answers`.

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
        typed = [(field.name, _type_of(field.type), field.required) for field in fields]
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

    def read_item(self, item: object) -> T:
        """The same for an object in a list. Raises Invalid, InvalidFields."""
        if not isinstance(item, dict):
            raise Invalid("must be an object")
        return self._parsed(*self._sorted_out(item))

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
                except InvalidItems as error:
                    wrong |= {f"{name}.{part}": text for part, text in error.messages.items()}
                except Invalid as error:
                    wrong[name] = error.message
            elif required:
                wrong[name] = Phrase("is required")
        if wrong or unknown:
            wrong = self._judge(values) | wrong  # what is wrong with a field by itself comes first
            raise InvalidBody(values, self._in_order(wrong) | _useless(unknown))
        return self._body_type(**values)

    def _in_order(self, wrong: Mapping[str, str]) -> dict[str, str]:
        """The messages in the order of the fields."""
        places = {name: place for place, (name, _, _) in enumerate(self._fields)}
        names = {field: field.partition(".")[0] for field in wrong}
        known = [field for field, name in names.items() if name in places]
        return {field: wrong[field] for field in sorted(known, key=lambda f: places[names[f]])}

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


def _useless(unknown: Sequence[str]) -> dict[str, str]:
    return dict.fromkeys(unknown[:MAX_NAMED_FIELDS], UNKNOWN)


class InvalidItems(Invalid):
    """Some items of a list are invalid. Messages by place and field, such as `3.nonce`."""

    def __init__(self, messages: Mapping[str, str]) -> None:
        super().__init__("has invalid items")
        self.messages = messages


def _type_of(annotation: Any) -> FieldType:
    """As `field_type`; for a list of structs, `Annotated[tuple[Kind, ...], Meta(max_length=...)]`,
    one that parses each with a `Reader`."""
    if get_origin(annotation) is not Annotated:
        return field_type(annotation)
    items, limits = get_args(annotation)
    return _list_of(Reader(get_args(items)[0]), limits.max_length)


def _list_of(reader: Reader[Any], most: int) -> FieldType:
    def parse(raw: object) -> object:
        if not isinstance(raw, list):
            raise Invalid("must be a list of objects")
        if len(raw) > most:
            raise Invalid(f"must have at most {most} items, has {len(raw)}")
        values, wrong = list[Any](), dict[str, str]()
        for place, item in enumerate(raw):
            try:
                values.append(reader.read_item(item))
            except InvalidFields as error:
                wrong |= {f"{place}.{field}": text for field, text in error.messages.items()}
            except Invalid as error:
                wrong[str(place)] = error.message
        if wrong:
            raise InvalidItems(dict(islice(wrong.items(), MAX_NAMED_FIELDS)))
        return tuple(values)

    return FieldType(parse, Schema(type=OpenAPIType.ARRAY, items=reader.schema, max_items=most))


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

"""Schemas of the document in a form that generators of clients understand.

Bodies, enums and structs have names; null is one of the types; each field says what it is, from the
docstring below it or from `FIELDS`.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any, get_args, get_type_hints

import msgspec

from api.openapi.field_descriptions import FIELDS
from api.openapi.names import COMMON

Json = dict[str, Any]

_NULL = {"type": "null"}

_ABSENT = {None, "none"}
"""Values that are in types but in no body."""

_NO_SCHEMAS = {"example", "examples", "links", "headers", "enum", "const", "default"}
"""Keys below which there are no schemas."""


class NameTaken(Exception):
    """Two schemas have this name: rename one of the structs"""


def with_plain_schemas(drawn: Json, structs: Mapping[str, type[msgspec.Struct]]) -> Json:
    """The document with its schemas in this form; `structs` by the names of their schemas."""
    schemas: Json = drawn["components"]["schemas"]
    for operation in (o for item in drawn["paths"].values() for o in item.values()):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            media["schema"] = _named(media["schema"], schemas)
    for name, schema in schemas.items():
        schema.pop("title", None)
        _describe(name, schema, structs.get(name))
    plain: Json = _mapped(drawn, _plain)
    plain["components"]["schemas"] |= COMMON
    return plain


def structs_of(*annotations: Any) -> dict[str, type[msgspec.Struct]]:
    """The structs in these types, by name."""
    found: dict[str, type[msgspec.Struct]] = {}
    for annotation in annotations:
        _collect(annotation, found)
    return found


def _collect(annotation: Any, found: dict[str, type[msgspec.Struct]]) -> None:
    for part in get_args(annotation):
        _collect(part, found)
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        if found.get(annotation.__name__) is annotation:
            return
        found[annotation.__name__] = annotation
        for hint in get_type_hints(annotation).values():
            _collect(hint, found)


def _named(schema: Json, schemas: Json) -> Json:
    """A reference to the schema, which gets the name of its struct."""
    if "title" not in schema:
        return schema
    name = schema["title"]
    for of_field in schema["properties"].values():
        if "items" in of_field:
            of_field["items"] = _named(of_field["items"], schemas)
    if schemas.setdefault(name, schema) != schema:
        raise NameTaken(f"{NameTaken.__doc__}: {name}")
    return {"$ref": f"#/components/schemas/{name}"}


def _describe(name: str, schema: Json, struct: type[msgspec.Struct] | None) -> None:
    """Adds descriptions to the fields of the schema."""
    written = _docstrings(struct) if struct else {}
    for field, of_field in schema.get("properties", {}).items():
        if found := written.get(field) or FIELDS.get(f"{name}.{field}") or FIELDS.get(field):
            form = of_field.get("description")
            of_field["description"] = f"{found} {form}" if form and form != found else found


@cache
def _docstrings(kind: type) -> dict[str, str]:
    """The docstrings below the fields of the class and of its bases, by field."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base is not msgspec.Struct and issubclass(base, msgspec.Struct):
            found |= _own_docstrings(base)
    return found


def _own_docstrings(kind: type) -> Iterator[tuple[str, str]]:
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0].body  # type: ignore[attr-defined]  # of a class
    for field, text in pairwise(body):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(written))),
            ):
                yield name, re.sub(r"\bNone\b", "null", " ".join(written.split()))


def _mapped(node: Any, change: Callable[[Json], Json]) -> Any:
    """The document with each schema changed, inner ones first."""
    if isinstance(node, list):
        return [_mapped(item, change) for item in node]
    if not isinstance(node, dict):
        return node
    return change(
        {
            key: value if key in _NO_SCHEMAS else _mapped(value, change)
            for key, value in node.items()
        }
    )


def _plain(schema: Json) -> Json:
    return _with_common(_with_named_enum(_nullable(schema)))


def _nullable(schema: Json) -> Json:
    """With null among the types, or among the alternatives."""
    key = next((key for key in ("oneOf", "anyOf") if _NULL in schema.get(key, ())), None)
    if key is None:
        return schema
    rest = {other: value for other, value in schema.items() if other != key}
    others: list[Json] = [one for one in schema[key] if one != _NULL]
    only = others[0]
    if len(others) > 1 or not {"type", "anyOf"} & only.keys():
        return {"anyOf": [*others, _NULL]} | rest
    if "anyOf" in only:
        return only | {"anyOf": [*only["anyOf"], _NULL]} | rest
    return only | {"type": [only["type"], "null"]} | rest


def _with_named_enum(schema: Json) -> Json:
    """With a reference to the enum that has a name."""
    choices = frozenset(schema.get("enum") or ())
    name = _enum_names().get(choices - _ABSENT)
    if name is None:
        return schema
    rest = {key: value for key, value in schema.items() if key not in {"enum", "type"}}
    if None in choices:
        return {"anyOf": [_ref(name), _NULL]} | rest
    return {"allOf": [_ref(name)]} | rest if rest else _ref(name)


@cache
def _enum_names() -> dict[frozenset[str | None], str]:
    return {frozenset(schema["enum"]): name for name, schema in COMMON.items() if "enum" in schema}


def _with_common(schema: Json) -> Json:
    """With a reference to the metadata that most responses have."""
    if schema == COMMON["Meta"] | {"description": FIELDS["meta"]}:
        return {"allOf": [_ref("Meta")], "description": FIELDS["meta"]}
    return schema


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}

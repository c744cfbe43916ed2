"""JSON Schemas of the API's messages, as the REST side reads and prints them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from clarifai_grpc.grpc.api.utils import extensions_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from labelwright.protocol.rest.printing import always_shown, is_map
from labelwright.protocol.rest.wrapped import WRAPPERS

Schema = dict[str, Any]

GIVEN = "-given"
"""Behind the name of a message that is sent with fewer fields than it comes back with."""

PLAIN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    "google.protobuf.Struct": {"type": "object", "description": "Any JSON object."},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Value": {"description": "Any JSON value."},
}
"""Messages of protobuf itself that JSON writes in a form of their own."""

_SHORT = {
    **dict.fromkeys(
        (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32),
        (-(2**31), 2**31 - 1),
    ),
    **dict.fromkeys((FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_FIXED32), (0, 2**32 - 1)),
}
_LONG = {
    **dict.fromkeys(
        (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_SINT64, FieldDescriptor.TYPE_SFIXED64),
        (-(2**63), 2**63 - 1),
    ),
    **dict.fromkeys((FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64), (0, 2**64 - 1)),
}
_FLOAT32_MAX = 3.4028235e38
"""The largest one as it is printed: rounded up, and read as the largest one again."""


class Schemas:
    """The schemas of messages and enums, made as they are asked for, by the names under which they are referred to."""

    def __init__(self, replies: Iterable[Any]) -> None:
        """``replies``: the descriptor of every message that is going to be asked for as a reply."""
        self.made: dict[str, Schema] = {}
        self._shown = {m.full_name for reply in replies for m in _reached(reply)}

    def message(self, message: Any, *, given: bool) -> Schema:
        """A reference to a message's schema.

        Args:
            given: as a client gives it, where no field is needed; else as it comes back, with the fields that are
                printed even where they are empty.
        """
        name = self._name(message, given)
        if name not in self.made:
            made: Schema = {"type": "object"}
            # Before its fields: a message may hold itself.
            self.made[name] = made
            if message.fields:
                made["properties"] = {f.name: self.field(f, given=given) for f in message.fields}
            if not given and (needed := [f.name for f in message.fields if always_shown(f)]):
                made["required"] = needed
            if groups := [[f.name for f in o.fields] for o in message.oneofs if len(o.fields) > 1]:
                made["description"] = " ".join(f"At most one of {', '.join(names)}." for names in groups)
        return _ref(name)

    def field(self, field: FieldDescriptor, *, given: bool) -> Schema:
        """The schema of a field: of one value, a list or a map."""
        inner = field.message_type
        if inner is not None and is_map(field):
            return {"type": "object", "additionalProperties": self.field(inner.fields_by_name["value"], given=given)}
        if inner is None or inner.full_name in PLAIN or inner.full_name in WRAPPERS:
            schema = self.value(field, given=given)
        else:
            schema = self.message(inner, given=given)
        return {"type": "array", "items": schema} if field.is_repeated else schema

    def value(self, field: FieldDescriptor, *, given: bool) -> Schema:
        """The schema of one value of a field that holds no messages of the API's own."""
        kind = field.message_type
        if kind is not None and kind.full_name in WRAPPERS:
            return self.value(kind.fields_by_name["value"], given=given)
        if kind is not None:
            return dict(PLAIN[kind.full_name])
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        schema = _scalar(field)
        default = field.GetOptions().Extensions[extensions_pb2.cl_default_float]
        return schema | {"default": default} if given and default else schema

    def _name(self, message: Descriptor, given: bool) -> str:
        name = _short_name(message.full_name)
        if given and message.full_name in self._shown and _flagged(message):
            return name + GIVEN
        return name

    def _enum(self, enum: EnumDescriptor) -> Schema:
        """A reference to an enum's schema. Requests may name a value as well; replies have numbers."""
        name = _short_name(enum.full_name)
        if name not in self.made:
            # The first name of a number, where it has several.
            known = {number: enum.values_by_number[number].name for number in sorted(enum.values_by_number)}
            self.made[name] = {
                "type": "integer",
                "enum": list(known),
                "x-enum-varnames": list(known.values()),
                "description": ", ".join(f"{number} {n}" for number, n in known.items()),
            }
        return _ref(name)


def _scalar(field: FieldDescriptor) -> Schema:
    if field.type in _SHORT:
        low, high = _SHORT[field.type]
        return {"type": "integer", "minimum": low, "maximum": high}
    if field.type in _LONG:
        low, high = _LONG[field.type]
        # From 2**53 on it is printed as a text, since JavaScript would round a number.
        pattern = "^-?[0-9]+$" if low else "^[0-9]+$"
        return {"type": ["integer", "string"], "format": "int64", "minimum": low, "maximum": high, "pattern": pattern}
    if field.type == FieldDescriptor.TYPE_FLOAT:
        return _NUMBER | {"format": "float", "minimum": -_FLOAT32_MAX, "maximum": _FLOAT32_MAX}
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return _NUMBER | {"format": "double"}
    if field.type == FieldDescriptor.TYPE_BOOL:
        return {"type": "boolean"}
    if field.type == FieldDescriptor.TYPE_BYTES:
        return {"type": "string", "format": "byte", "contentEncoding": "base64"}
    return {"type": "string"}


_NUMBER: Schema = {"type": ["number", "string"], "pattern": "^(NaN|-?Infinity)$"}
"""A number that is not finite is printed as a text."""


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _short_name(full_name: str) -> str:
    return full_name.removeprefix("clarifai.api.")


@cache
def _reached(message: Descriptor) -> tuple[Descriptor, ...]:
    """A message and all that its fields lead to."""
    found: dict[str, Descriptor] = {}
    waiting = [message]
    while waiting:
        one = waiting.pop()
        if one.full_name not in found and one.full_name not in PLAIN:
            found[one.full_name] = one
            waiting.extend(f.message_type for f in one.fields if f.message_type is not None)
    return tuple(found.values())


@cache
def _flagged(message: Descriptor) -> bool:
    return any(always_shown(f) for m in _reached(message) for f in m.fields)

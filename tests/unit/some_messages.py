"""Messages of any type with any content, for property tests."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

from labelwright.protocol.methods import methods
from labelwright.protocol.rest.printing import is_map

TEXTS = st.text(max_size=8)
FLOATS = st.floats(width=32, allow_nan=False)
DOUBLES = st.floats(allow_nan=False)
_F = FieldDescriptor
_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    _F.TYPE_STRING: TEXTS,
    _F.TYPE_BYTES: st.binary(max_size=8),
    _F.TYPE_BOOL: st.booleans(),
    _F.TYPE_FLOAT: FLOATS,
    _F.TYPE_DOUBLE: DOUBLES,
    _F.TYPE_ENUM: st.integers(0, 40),
    _F.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    _F.TYPE_UINT32: st.integers(0, 2**32 - 1),
    _F.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    _F.TYPE_UINT64: st.integers(0, 2**64 - 1),
}

PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | TEXTS | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 2**53),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
"""Values of JSON."""

KINDS = sorted(
    {m.request.DESCRIPTOR.full_name: m.request for m in methods().values()}.items()
    | {m.reply.DESCRIPTOR.full_name: m.reply for m in methods().values()}.items(),
    key=lambda item: item[0],
)
"""The requests and replies of the service, with their full names."""


@st.composite
def messages(draw: st.DrawFn, depth: int = 4) -> Message:
    """A request or a reply of any RPC with some of its fields."""
    kind = draw(st.sampled_from([kind for _, kind in KINDS]))
    made = kind()
    fill(draw, made, depth)
    return made


def fill(draw: st.DrawFn, message: Any, depth: int) -> None:
    """Set some fields of a message, and of those in it, down to a depth."""
    descriptor: Descriptor = message.DESCRIPTOR
    match descriptor.full_name:
        case "google.protobuf.Timestamp":
            message.seconds = draw(st.integers(-62135596800, 253402300799))
            message.nanos = draw(st.sampled_from([0, 1, 1000, 123_000_000, 999_999_999]))
            return
        case "google.protobuf.Duration":
            message.seconds, message.nanos = draw(st.sampled_from([(0, 0), (1, 5), (-3, -500_000_000), (0, -1)]))
            return
        case "google.protobuf.Value":
            put_plain(message, draw(PLAIN))
            return
        case "google.protobuf.Struct":
            for key, value in draw(st.dictionaries(TEXTS, PLAIN, max_size=3)).items():
                put_plain(message.fields[key], value)
            return
    fields = [f for f in descriptor.fields if f.message_type is None or depth > 0]
    for field in draw(st.lists(st.sampled_from(fields), max_size=5, unique_by=lambda f: f.name)) if fields else []:
        _set(draw, message, field, depth)


def _set(draw: st.DrawFn, message: Any, field: FieldDescriptor, depth: int) -> None:
    name, kind = field.name, field.message_type
    many = draw(st.integers(0, 2))
    if kind is not None and is_map(field):
        value = kind.fields_by_name["value"]
        for _ in range(many):
            if value.message_type is not None:
                fill(draw, getattr(message, name)[draw(TEXTS)], depth - 1)
            else:
                getattr(message, name)[draw(TEXTS)] = draw(_SCALARS[value.type])
    elif kind is not None and field.is_repeated:
        for _ in range(many):
            fill(draw, getattr(message, name).add(), depth - 1)
    elif kind is not None:
        getattr(message, name).SetInParent()
        fill(draw, getattr(message, name), depth - 1)
    elif field.is_repeated:
        getattr(message, name).extend(draw(st.lists(_SCALARS[field.type], max_size=3)))
    else:
        setattr(message, name, draw(_SCALARS[field.type]))


def put_plain(message: Any, value: Any) -> None:
    """A value of JSON as a Value, as the library itself makes it."""
    if value is None:
        message.null_value = 0
    elif isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, int | float):
        message.number_value = value
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, list):
        message.list_value.SetInParent()
        for item in value:
            put_plain(message.list_value.values.add(), item)
    else:
        message.struct_value.SetInParent()
        for key, item in value.items():
            put_plain(message.struct_value.fields[key], item)

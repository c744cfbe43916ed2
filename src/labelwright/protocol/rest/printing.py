"""From a message to JSON, as the API prints it.

An own codec, not `json_format`: over a page of 128 annotations and a body of 128 inputs it takes a fraction of the
time (docs/rest.md has the figures), and the API's flags on fields need no second pass.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from functools import cache
from typing import Any

from clarifai_grpc.grpc.api.utils import extensions_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from labelwright.protocol.rest.wrapped import EXACT, SHOWN, WRAPPERS, Show, show_float

_FLOAT32 = struct.Struct("f")
_pack, _unpack = _FLOAT32.pack, _FLOAT32.unpack
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


def print_message(message: Message) -> bytes:
    """A message as JSON in UTF-8, without white space.

    Names as in the proto, enums as integers; fields flagged ``cl_show_if_empty`` also where they are empty, as far as
    the message that they are in is there.
    """
    return _encode(show_message(message)).encode()


def show_message(message: Message) -> Any:
    """A message as plain values: what `print_message` writes."""
    return _shower(message.DESCRIPTOR)(message)


def show_single(number: float) -> float | str:
    """A 32-bit number with the few digits that tell it from its neighbours: 0.95, not 0.949999988079071."""
    try:
        if number.is_integer() and -EXACT < number < EXACT:
            # As an integer -0.0 would lose its sign.
            return int(number) if number else number
        short = float(f"{number:.7g}")
        if _unpack(_pack(short))[0] != number:
            short = float(f"{number:.8g}")
            if _unpack(_pack(short))[0] != number:
                short = float(f"{number:.9g}")
    except OverflowError:
        # The largest ones, rounded up.
        short = float(f"{number:.9g}")
    return short if number - number == 0 else show_float(number)


def _show_long(number: int) -> int | str:
    return number if -EXACT < number < EXACT else str(number)


def _show_bytes(data: bytes) -> str:
    return base64.b64encode(data).decode()


_LONG = {
    FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_UINT64,
    FieldDescriptor.TYPE_SINT64,
    FieldDescriptor.TYPE_FIXED64,
    FieldDescriptor.TYPE_SFIXED64,
}


def _single(field: FieldDescriptor) -> Show | None:
    """How one value of a field is printed; None: as it is."""
    if field.message_type is not None:
        return _shower(field.message_type)
    if field.type == FieldDescriptor.TYPE_FLOAT:
        return show_single
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return show_float
    if field.type in _LONG:
        return _show_long
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _show_bytes
    return None


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _whole(field: FieldDescriptor) -> Show | None:
    """How a field's value is printed, be it one, many or a map."""
    if field.message_type is not None and is_map(field):
        single = _single(field.message_type.fields_by_name["value"])
        return lambda value: {_key(k): single(v) if single else v for k, v in value.items()}
    single = _single(field)
    if not field.is_repeated:
        return single
    if single is None:
        return list
    return lambda value: [single(v) for v in value]


def is_map(field: FieldDescriptor) -> bool:
    """Whether a field is a map."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


class _Shower:
    """Prints messages of one type. Its table is made at the first use: types hold each other in circles."""

    __slots__ = ("_descriptor", "_shown", "_table")

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor
        self._shown: tuple[tuple[str, Callable[[], Any]], ...] = ()
        self._table: dict[int, tuple[str, Show | None]] = {}

    def show(self, message: Any) -> dict[str, Any]:
        table = self._table or self._made()
        out: dict[str, Any] = {}
        for field, value in message.ListFields():
            name, convert = table[field.number]
            out[name] = value if convert is None else convert(value)
        for name, empty in self._shown:
            if name not in out:
                out[name] = empty()
        return out

    def _made(self) -> dict[int, tuple[str, Show | None]]:
        self._shown = tuple((f.name, _empty(f)) for f in self._descriptor.fields if always_shown(f))
        self._table = {f.number: (f.name, _whole(f)) for f in self._descriptor.fields}
        return self._table


def always_shown(field: FieldDescriptor) -> bool:
    """Whether a field is printed where it is empty too, as far as the message that it is in is there."""
    if not field.GetOptions().Extensions[extensions_pb2.cl_show_if_empty] or field.containing_oneof is not None:
        return False
    return field.is_repeated or field.message_type is None


def _empty(field: FieldDescriptor) -> Callable[[], Any]:
    if is_map(field):
        return dict
    if field.is_repeated:
        return list
    if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        return str
    return bool if field.type == FieldDescriptor.TYPE_BOOL else int


@cache
def _shower(descriptor: Descriptor) -> Show:
    name = descriptor.full_name
    if name in SHOWN:
        return SHOWN[name]
    if name in WRAPPERS:
        inner = _single(descriptor.fields_by_name["value"])
        return lambda message: inner(message.value) if inner else message.value
    return _Shower(descriptor).show

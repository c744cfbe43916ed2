"""From JSON to a message, as the API reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any, NoReturn, TypeVar

from clarifai_grpc.grpc.api.utils import extensions_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from labelwright.errors import BadRequestFormat
from labelwright.protocol.rest.printing import is_map
from labelwright.protocol.rest.scalars import Read, Wrong, named, reader, shown
from labelwright.protocol.rest.wrapped import FILLED, MAX_DEPTH, WRAPPERS, Fill, too_deep

M = TypeVar("M", bound=Message)
Put = Callable[[Any, Any, int], None]
"""Puts a value of JSON into a field of a message; the number is how deep the message lies. Raises `Wrong`."""


def read_message(kind: type[M], body: bytes) -> M:
    """A request from its body.

    Names as in the proto or in camelCase, enums by number or name; what is null counts as absent, and an unknown
    name is passed over: clients of newer versions send them. A concept without a ``value`` has 1. An empty body is
    an empty message.

    Raises:
        BadRequestFormat: the body is no such message; says where, and what is expected.
    """
    message = kind()
    if body.strip():
        fill_message(message, plain(body))
    return message


def fill_message(message: Message, value: Any) -> None:
    """Fill an empty message from plain values, as of `plain`.

    Raises:
        BadRequestFormat: they do not fit.
    """
    try:
        _filler(message.DESCRIPTOR)(message, value, 0)
    except Wrong as e:
        raise BadRequestFormat(str(e)) from None


def plain(body: bytes) -> Any:
    """JSON in UTF-8 as plain values.

    Raises:
        BadRequestFormat: it is none, or names a thing twice, or is nested deeper than the interpreter follows.
    """
    if body.startswith(b"\xef\xbb\xbf"):
        raise BadRequestFormat("the body begins with a byte order mark; JSON begins with its first character")
    try:
        return _decode(body.decode())
    except UnicodeDecodeError as e:
        raise BadRequestFormat(f"the body is not UTF-8: byte {body[e.start]:#04x} at {e.start}") from None
    except json.JSONDecodeError as e:
        raise BadRequestFormat(f"the body is no JSON: {e.msg} (line {e.lineno}, column {e.colno})") from None
    except RecursionError:
        raise BadRequestFormat("the body is nested too deeply to be read") from None
    except Wrong as e:
        raise BadRequestFormat(str(e)) from None
    except ValueError:
        # The interpreter reads integers of up to 4,300 digits.
        raise BadRequestFormat("the body holds a number with thousands of digits") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Wrong(f"has an object with {shown(twice)} twice; which one counts is not known")
    return made


def _not_json(name: str) -> NoReturn:
    raise Wrong(f'holds {name}, which is no JSON; write it as "{name}" where the field takes it')


_decode = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_not_json).decode


class _Filler:
    """Fills messages of one type. Its table is made at the first use: types hold each other in circles."""

    __slots__ = ("_defaults", "_descriptor", "_table")

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor
        self._defaults: tuple[tuple[str, str, float], ...] = ()
        self._table: dict[str, tuple[str, str, Put]] = {}

    def fill(self, message: Any, value: Any, depth: int) -> None:
        if type(value) is not dict:
            raise Wrong(f"is {shown(value)}; an object is expected")
        if depth > MAX_DEPTH:
            raise too_deep()
        table = self._table or self._made()
        chosen: dict[str, str] = {}
        for key, item in value.items():
            if item is None or (known := table.get(key)) is None:
                # A null Value is a value, not an absent one.
                if item is not None or key not in table or not _takes_null(self._descriptor, table[key][0]):
                    continue
                known = table[key]
            name, group, put = known
            if key != name and value.get(name) is not None:
                raise Wrong(f"is there twice, as {key} too; which one counts is not known").at(name)
            if group:
                if group in chosen:
                    raise Wrong(f"and {chosen[group]} are both set; they are alternatives of {group}").at(name)
                chosen[group] = name
            try:
                put(message, item, depth)
            except Wrong as e:
                raise e.at(key) from None
        for name, camel, default in self._defaults:
            if value.get(name) is None and value.get(camel) is None:
                setattr(message, name, default)

    def _made(self) -> dict[str, tuple[str, str, Put]]:
        fields = self._descriptor.fields
        defaults = ((f, f.GetOptions().Extensions[extensions_pb2.cl_default_float]) for f in fields)
        self._defaults = tuple((f.name, f.json_name, default) for f, default in defaults if default)
        table = {}
        for f in fields:
            entry = (f.name, f.containing_oneof.name if f.containing_oneof is not None else "", _put(f))
            table[f.json_name] = table[f.name] = entry
        self._table = table
        return table


def _takes_null(descriptor: Descriptor, name: str) -> bool:
    kind = descriptor.fields_by_name[name].message_type
    return kind is not None and kind.full_name == "google.protobuf.Value"


def _put(field: FieldDescriptor) -> Put:
    if field.message_type is not None:
        if is_map(field):
            return _put_map(field.name, field.message_type)
        filler = _filler(field.message_type)
        return _put_messages(field.name, filler) if field.is_repeated else _put_message(field.name, filler)
    read = reader(field)
    return _put_scalars(field.name, read) if field.is_repeated else _put_scalar(field.name, read)


def _put_scalar(name: str, read: Read) -> Put:
    def put(message: Any, value: Any, _depth: int) -> None:
        setattr(message, name, read(value))

    return put


def _put_scalars(name: str, read: Read) -> Put:
    def put(message: Any, value: Any, _depth: int) -> None:
        items = _items(value)
        try:
            getattr(message, name).extend([read(item) for item in items])
        except Wrong:
            for i, item in enumerate(items):
                try:
                    read(item)
                except Wrong as e:
                    raise e.at(i) from None
            raise

    return put


def _put_message(name: str, fill: Fill) -> Put:
    def put(message: Any, value: Any, depth: int) -> None:
        inner = getattr(message, name)
        inner.SetInParent()
        fill(inner, value, depth + 1)

    return put


def _put_messages(name: str, fill: Fill) -> Put:
    def put(message: Any, value: Any, depth: int) -> None:
        add = getattr(message, name).add
        for i, item in enumerate(_items(value)):
            try:
                fill(add(), item, depth + 1)
            except Wrong as e:
                raise e.at(i) from None

    return put


def _put_map(name: str, entry: Descriptor) -> Put:
    keys, values = entry.fields_by_name["key"], entry.fields_by_name["value"]
    key_of = _map_key(keys)
    fill = _filler(values.message_type) if values.message_type is not None else None
    read = reader(values) if values.message_type is None else None

    def put(message: Any, value: Any, depth: int) -> None:
        if type(value) is not dict:
            raise Wrong(f"is {shown(value)}; an object is expected")
        target = getattr(message, name)
        for key, item in value.items():
            try:
                if fill is not None:
                    fill(target[key_of(key)], item, depth + 2)
                elif read is not None:
                    target[key_of(key)] = read(item)
            except Wrong as e:
                raise e.at(named(key)) from None

    return put


def _map_key(field: FieldDescriptor) -> Read:
    if field.type != FieldDescriptor.TYPE_BOOL:
        return reader(field)

    def read(key: str) -> bool:
        if key not in ("true", "false"):
            raise Wrong("is no legal key; true and false are")
        return key == "true"

    return read


def _items(value: Any) -> list[Any]:
    if type(value) is not list:
        raise Wrong(f"is {shown(value)}; a list is expected")
    return value


@cache
def _filler(descriptor: Descriptor) -> Fill:
    name = descriptor.full_name
    if name in FILLED:
        return FILLED[name]
    if name in WRAPPERS:
        read = reader(descriptor.fields_by_name["value"])

        def fill(message: Any, value: Any, _depth: int) -> None:
            message.value = read(value)

        return fill
    return _Filler(descriptor).fill

"""What the path and the query say of a request: texts, put into fields of any type by their dotted names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from labelwright.errors import BadRequestFormat
from labelwright.protocol.rest.printing import is_map
from labelwright.protocol.rest.scalars import Read, Wrong, reader, shown
from labelwright.protocol.rest.wrapped import FILLED, WRAPPERS

_TRUE, _FALSE = {"true", "1"}, {"false", "0"}
_PLAIN_TEXT = {"google.protobuf.Timestamp", "google.protobuf.Duration"}
"""Messages that JSON writes as a text."""
_LONGEST_NAME = 256
"""Characters that a field's dotted name may have, six fields deep at least."""


def put_path(message: Message, given: Mapping[str, str]) -> None:
    """Put the path's variables, still percent-encoded, into a request; they outrank what stands there.

    Raises:
        BadRequestFormat: one is not UTF-8, or not of its field's type.
    """
    for name, encoded in given.items():
        try:
            value = unquote_to_bytes(encoded).decode() if "%" in encoded else encoded
        except UnicodeDecodeError:
            raise BadRequestFormat(f"{name} in the path, {shown(encoded)}, is not UTF-8 behind its %-signs") from None
        _put(message, name, [value], "the path")


def put_query(message: Message, query: bytes) -> None:
    """Put the parameters of a query into a request: ``page=2&user_app_id.user_id=me&ids=a&ids=b``.

    Of a list of messages one field each can be given: ``statuses.code=24150&statuses.code=24151`` are two statuses.
    Names that the request does not have are passed over, and so are empty values of what is no text.

    Raises:
        BadRequestFormat: a value is not of its field's type, or a field can't be given so; names the parameter.
    """
    if not query:
        return
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise BadRequestFormat("the query is not UTF-8 behind its %-signs") from None
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    for name, values in given.items():
        _put(message, name, values, "the query")


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a parameter goes."""

    inside: tuple[str, ...]
    """The fields that lead to the message which holds it."""
    listed: str
    """The list whose every item holds one value; "" where there is none."""
    field: FieldDescriptor
    read: Read | None
    """None for a message that is no single value."""


def _put(message: Any, name: str, values: list[str], source: str) -> None:
    # Names are remembered, unknown ones too: 4,096 of 60 kB, which need no key, were 220 MB.
    target = _target(message.DESCRIPTOR, name) if len(name) <= _LONGEST_NAME else None
    if target is None:
        return
    if target.read is None:
        kind = target.field.message_type
        raise BadRequestFormat(
            f"{name} can't be given in {source}: it holds {kind.name if kind else 'messages'}; give its fields, "
            f"as {name}.<field>, or use gRPC"
        )
    if target.field.type != FieldDescriptor.TYPE_STRING:
        values = [v for v in values if v]
    try:
        read = [target.read(v) for v in values]
    except Wrong as e:
        raise BadRequestFormat(f"{name} in {source} {e.what}") from None
    if len(read) > 1 and not target.field.is_repeated and not target.listed:
        raise BadRequestFormat(f"{name} stands {len(read)} times in {source}; it takes one value")
    for step in target.inside:
        message = getattr(message, step)
    for value in read:
        _set(getattr(message, target.listed).add() if target.listed else message, target.field, value)


def _set(message: Any, field: FieldDescriptor, value: Any) -> None:
    if field.is_repeated:
        # A list of wrapped values is no list of scalars; there is none in the API, and `_single` refuses it.
        getattr(message, field.name).append(value)
    elif field.message_type is None:
        setattr(message, field.name, value)
    elif field.message_type.full_name in WRAPPERS:
        getattr(message, field.name).value = value
    else:
        getattr(message, field.name).CopyFrom(value)


@lru_cache(4096)
def _target(descriptor: Descriptor, name: str) -> _Target | None:
    *inside, last = name.split(".")
    path: list[str] = []
    listed = ""
    for step in inside:
        field = _field(descriptor, step)
        # A list within a list, or a map, has no such form.
        if field is None or field.message_type is None or listed or is_map(field):
            return None
        if field.is_repeated:
            listed = field.name
        else:
            path.append(field.name)
        descriptor = field.message_type
    field = _field(descriptor, last)
    return None if field is None else _Target(tuple(path), listed, field, _single(field))


def _field(descriptor: Descriptor, name: str) -> FieldDescriptor | None:
    return descriptor.fields_by_name.get(name) or descriptor.fields_by_camelcase_name.get(name)


def _single(field: FieldDescriptor) -> Read | None:
    kind = field.message_type
    if kind is None:
        return _boolean if field.type == FieldDescriptor.TYPE_BOOL else reader(field)
    if field.is_repeated:
        return None
    if kind.full_name in WRAPPERS:
        return _single(kind.fields_by_name["value"])
    return _written(kind) if kind.full_name in _PLAIN_TEXT else None


def _written(kind: Descriptor) -> Read:
    made = GetMessageClass(kind)

    def read(value: str) -> Message:
        message = made()
        FILLED[kind.full_name](message, value, 0)
        return message

    return read


def _boolean(value: str) -> bool:
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise Wrong(f"is {shown(value)}; legal are true and false")


def segments(raw_path: bytes) -> Iterable[str]:
    """The segments of a path that begins with a slash, still percent-encoded."""
    return raw_path.decode("latin-1")[1:].split("/")

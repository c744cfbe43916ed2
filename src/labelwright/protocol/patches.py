"""Changing a message as a patch's action says, field by field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, cast

from clarifai_grpc.grpc.api import resources_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from labelwright.errors import InvalidRequest
from labelwright.protocol.metadata import patched

_STRUCT = "google.protobuf.Struct"

M = TypeVar("M", bound=Message)


def apply(target: M, change: M, action: str, *, apart: Iterable[str] = ()) -> None:
    """Change ``target`` by the fields that are set in ``change``.

    * merge: lists gain the entries that they lack, those with an id replace the entry of that id; the keys
      of JSON objects and maps join those there; messages are merged field by field; all else is replaced.
    * overwrite: each field is replaced.
    * remove: lists lose the given entries (by id, where they have one), JSON objects and maps the given keys,
      and the image goes where its url is the one given.

    Args:
        action: one of the three; see `merging.check_action`.
        apart: fields that are not looked at.

    Raises:
        InvalidRequest: 'remove' with a field that nothing can be taken from.
    """
    skip = set(apart)
    for field, value in change.ListFields():
        if field.name not in skip:
            _FIELD[action](target, field, value)


def _is_message(field: FieldDescriptor) -> bool:
    return field.message_type is not None


def _is_struct(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and not field.is_repeated and kind.full_name == _STRUCT


def _is_map(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and kind.GetOptions().map_entry


def _put(target: Message, field: FieldDescriptor, value: Any) -> None:
    target.ClearField(field.name)
    if _is_map(field):
        getattr(target, field.name).MergeFrom(value)
    elif field.is_repeated:
        getattr(target, field.name).extend(value)
    elif _is_message(field):
        getattr(target, field.name).CopyFrom(value)
        getattr(target, field.name).SetInParent()
    else:
        setattr(target, field.name, value)


def _key(entry: Any) -> Any:
    """What makes two entries of a list the same: their id or, without one, all of them."""
    if not isinstance(entry, Message):
        return entry
    return getattr(entry, "id", "") or entry.SerializeToString(deterministic=True)


def _merge(target: Message, field: FieldDescriptor, value: Any) -> None:
    if _is_struct(field):
        action = resources_pb2.PatchAction(op="merge")
        _put(target, field, patched(getattr(target, field.name), value, action))
    elif _is_map(field):
        getattr(target, field.name).MergeFrom(value)
    elif field.is_repeated:
        entries = {_key(e): e for e in getattr(target, field.name)} | {_key(e): e for e in value}
        # The entries belong to the list that is about to be cleared.
        _put(target, field, [_copy(e) for e in entries.values()])
    elif _is_message(field):
        apply(getattr(target, field.name), value, "merge")
        getattr(target, field.name).SetInParent()
    else:
        _put(target, field, value)


def _remove(target: Message, field: FieldDescriptor, value: Any) -> None:
    if _is_struct(field):
        action = resources_pb2.PatchAction(op="remove")
        _put(target, field, patched(getattr(target, field.name), value, action))
    elif _is_map(field):
        for key in value:
            getattr(target, field.name).pop(key, None)
    elif field.is_repeated:
        gone = {_key(e) for e in value}
        _put(target, field, [_copy(e) for e in getattr(target, field.name) if _key(e) not in gone])
    elif field.name == "image":
        current = cast(resources_pb2.Image, getattr(target, field.name)).url
        if not current or value.url != current:
            raise InvalidRequest(f"'remove' takes the image whose image.url is given; the url is now {current!r}")
        target.ClearField(field.name)
    elif _is_message(field):
        if target.HasField(field.name):
            apply(getattr(target, field.name), value, "remove")
    else:
        raise InvalidRequest(
            f"'remove' takes entries of lists, keys of JSON objects and the image, and {field.name} is none of "
            "these; 'overwrite' replaces it"
        )


def _copy(entry: Any) -> Any:
    if not isinstance(entry, Message):
        return entry
    copy = type(entry)()
    copy.CopyFrom(entry)
    return copy


_FIELD = {"merge": _merge, "overwrite": _put, "remove": _remove}

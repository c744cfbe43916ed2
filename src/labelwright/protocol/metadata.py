"""Changing the metadata of a resource, as a PatchAction says."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api import resources_pb2
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct

from labelwright.errors import InvalidRequest

OPERATIONS = ("overwrite", "merge", "remove", "delete")
RESOLUTIONS = ("", "overwrite", "append", "do_nothing")


def checked(metadata: Struct) -> dict[str, Any]:
    """The metadata as plain values.

    Raises:
        InvalidRequest: it holds what JSON has no way to write.
    """
    try:
        plain: dict[str, Any] = MessageToDict(metadata)
    except ValueError as e:
        raise InvalidRequest(f"metadata can't be written as JSON: {e}") from None
    return plain


def patched(current: Struct, given: Struct, action: resources_pb2.PatchAction) -> Struct:
    """The metadata after the change.

    Args:
        action: its ``op`` is "overwrite" (also the meaning of ""): the given one replaces all there is;
            "merge": key by key, ``merge_conflict_resolution`` says who wins where both have a value that is
            not an object (the given one where nothing is said); "remove" or "delete": the given keys go.

    Raises:
        InvalidRequest: the action is none of these, or names a path.
    """
    operation = action.op or "overwrite"
    if operation not in OPERATIONS:
        raise InvalidRequest(f"metadata_action.op is {action.op!r}; legal are {', '.join(OPERATIONS)}")
    if action.merge_conflict_resolution not in RESOLUTIONS:
        raise InvalidRequest(
            f"metadata_action.merge_conflict_resolution is {action.merge_conflict_resolution!r}; "
            f"legal are {', '.join(RESOLUTIONS[1:])}"
        )
    if action.path:
        raise InvalidRequest(
            f"metadata_action.path is {action.path!r}; only whole metadata can be changed: leave it empty and "
            "give the objects around the key in metadata"
        )
    old, new = checked(current), checked(given)
    if operation == "overwrite":
        return given
    result = _merge(old, new, action.merge_conflict_resolution) if operation == "merge" else _remove(old, new)
    return ParseDict(result, Struct())


def _merge(old: dict[str, Any], new: dict[str, Any], resolution: str) -> dict[str, Any]:
    merged = dict(old)
    for key, value in new.items():
        if key not in old:
            merged[key] = value
        elif isinstance(old[key], dict) and isinstance(value, dict):
            merged[key] = _merge(old[key], value, resolution)
        elif resolution == "append":
            merged[key] = [*_listed(old[key]), *_listed(value)]
        elif resolution != "do_nothing":
            merged[key] = value
    return merged


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _remove(old: dict[str, Any], gone: dict[str, Any]) -> dict[str, Any]:
    left = {}
    for key, value in old.items():
        if key not in gone:
            left[key] = value
        elif isinstance(value, dict) and isinstance(gone[key], dict) and gone[key]:
            left[key] = _remove(value, gone[key])
    return left

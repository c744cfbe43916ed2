"""Changing an annotation's Data as the actions merge, overwrite and remove say: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Data, PatchAction
from google.protobuf.struct_pb2 import Struct

from labelwright.errors import InvalidRequest
from labelwright.protocol.metadata import patched as patched_metadata

ACTIONS = ("merge", "overwrite", "remove")


def check_action(action: str) -> None:
    """Refuse what is not an action.

    Raises:
        InvalidRequest: it is not one of ACTIONS.
    """
    if action not in ACTIONS:
        raise InvalidRequest(f"action is {action!r}; legal are {', '.join(ACTIONS)}")


def patched(current: Data, patch: Data, action: str) -> Data:
    """The data after a patch; what the patch does not mention stays.

    - merge: items of lists meet by id, new ones go to the end, items without an id are appended; metadata is
      merged key by key; everything else that is given replaces what is there.
    - overwrite: whatever is given replaces what is there, lists and metadata as a whole.
    - remove: items of lists go by id (those without one where they are equal), metadata keys by name, and
      everything else that is named goes.

    Regions and frames hold data of their own, which is patched in the same way. One without an id means the
    only one there is. Removing a region that names data takes that data from it; otherwise it goes itself.
    """
    made = Data()
    made.CopyFrom(current)
    for field, given in patch.ListFields():
        name: Any = field.name
        if name == "metadata":
            made.metadata.CopyFrom(patched_struct(current.metadata, given, action))
            if not made.metadata.fields:
                made.ClearField(name)
        elif not field.is_repeated:
            made.ClearField(name)
            if action == "remove":
                continue
            if field.message_type is None:
                setattr(made, name, given)
            elif given.ByteSize():
                # A message that is there and empty clears: it is how a client says {}.
                getattr(made, name).CopyFrom(given)
        elif action == "overwrite":
            made.ClearField(name)
            getattr(made, name).extend(given)
        elif name in ("regions", "frames"):
            _patch_places(getattr(made, name), given, action)
        elif action == "merge":
            _merge_list(getattr(made, name), given)
        else:
            _remove_from_list(getattr(made, name), given)
    return made


def patched_struct(current: Struct, patch: Struct, action: str) -> Struct:
    """The same for a Struct by itself.

    Raises:
        InvalidRequest: it holds what JSON has no way to write.
    """
    return patched_metadata(current, patch, PatchAction(op=action))


def _id(item: Any) -> str:
    return str(getattr(item, "id", ""))


def _merge_list(items: Any, given: Sequence[Any]) -> None:
    at = {_id(item): index for index, item in enumerate(items) if _id(item)}
    for item in given:
        if _id(item) in at:
            items[at[_id(item)]].CopyFrom(item)
        else:
            if _id(item):
                at[_id(item)] = len(items)
            items.append(item)


def _remove_from_list(items: Any, given: Sequence[Any]) -> None:
    ids = {_id(item) for item in given if _id(item)}
    equal = [item for item in given if not _id(item)]
    left = [item for item in items if _id(item) not in ids and item not in equal]
    del items[:]
    items.extend(left)


def _patch_places(places: Any, given: Sequence[Any], action: str) -> None:
    """Patch regions or frames, both of which hold data."""
    alone = len(places) == 1 and len(given) == 1
    for item in given:
        index = _find(places, item, alone)
        if index is None:
            if action == "merge":
                places.append(item)
        elif action == "merge" or item.data.ByteSize():
            _patch_place(places[index], item, action)
        else:
            del places[index]


def _find(places: Any, item: Any, alone: bool) -> int | None:
    for index, place in enumerate(places):
        if item.id and place.id == item.id:
            return index
    # Without an id on either side it can only be the one that is there.
    return 0 if alone and not (item.id and places[0].id) else None


def _patch_place(place: Any, given: Any, action: str) -> None:
    if given.HasField("data"):
        place.data.CopyFrom(patched(place.data, given.data, action))
    if action == "remove":
        return
    for field, value in given.ListFields():
        if field.name == "data":
            continue
        if field.message_type is not None:
            getattr(place, field.name).CopyFrom(value)
        else:
            setattr(place, field.name, value)

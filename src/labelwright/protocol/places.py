"""Where in an input a concept stands: as the review pages have it, and an annotation's data cut down to that place."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Data, Frame, Region

from labelwright.annotator.labels import WHOLE
from labelwright.annotator.precedence import box_of
from labelwright.protocol.rest.printing import show_message

_SHAPES = ("mask", "polygon", "point", "keypoint_locations")


def place_of(data: Data, slot: int) -> dict[str, Any]:
    """The place of a slot (see `annotator.labels.places`), as JSON.

    - ``{"kind": "input"}``
    - ``{"kind": "region", "region_id", "box": {top, left, bottom, right}}``, fractions of the image; what is not
      a box has its ``shape`` besides, as the API shows a region_info
    - ``{"kind": "span", "region_id", "start", "end", "text"}``, in characters of the text
    - ``{"kind": "frame", "index", "time_ms"}``; where it is a region of the frame, what that has besides
    """
    frame, region = _find(data, slot)
    if frame is None:
        return {"kind": "input"} if region is None else _of_region(region)
    made = _of_region(region) if region is not None else {}
    return {**made, "kind": "frame", "index": frame.frame_info.index, "time_ms": frame.frame_info.time}


def _of_region(region: Region) -> dict[str, Any]:
    where = region.region_info
    if where.HasField("span"):
        span = where.span
        text = span.raw_text or region.data.text.raw
        return {"kind": "span", "region_id": region.id, "start": span.char_start, "end": span.char_end, "text": text}
    # A mask that comes without a box may cover everything.
    top, left, bottom, right = box_of(where) or (0.0, 0.0, 1.0, 1.0)
    box = {"top": top, "left": left, "bottom": bottom, "right": right}
    made = {"kind": "region", "region_id": region.id, "box": box}
    if any(f.name in _SHAPES for f, _ in where.ListFields()):
        made["shape"] = show_message(where)
    return made


def only(wire: bytes, slot: int) -> tuple[bytes, int]:
    """An annotation's data without its concepts, cut down to one place; and the slot of that place in it."""
    data = Data.FromString(wire)
    frame, region = _find(data, slot)
    made = Data()
    if frame is None:
        if region is None:
            del data.regions[:]
            del data.frames[:]
            return data.SerializeToString(deterministic=True), WHOLE
        made.regions.append(region)
        return made.SerializeToString(deterministic=True), 0
    kept = made.frames.add()
    kept.CopyFrom(frame)
    del kept.data.regions[:]
    if region is not None:
        kept.ClearField("data")
        kept.data.regions.append(region)
    return made.SerializeToString(deterministic=True), 0 if region is None else 1


def _find(data: Data, slot: int) -> tuple[Frame | None, Region | None]:
    """The frame and the region of a slot; neither for the whole input."""
    if slot == WHOLE:
        return None, None
    if slot < len(data.regions):
        return None, data.regions[slot]
    at = len(data.regions)
    for frame in data.frames:
        if slot == at:
            return frame, None
        if slot <= at + len(frame.data.regions):
            return frame, frame.data.regions[slot - at - 1]
        at += 1 + len(frame.data.regions)
    # A slot beyond the end can't come from the store's own writers; the whole is a place in any data.
    return None, None

"""What a person says no to when changing or deleting what a model made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Data, Region
from sqlalchemy import Row

from labelwright.store import tables as t
from labelwright.store.annotations import Rejection


def model_made(row: Row[Any]) -> bool:
    """Whether an annotation goes back to a model, even if a person confirmed it since."""
    if row.origin == t.CONFIRMED:
        return bool(row.model_version_id) or row.run is not None
    return bool(row.origin == t.MODEL)


def rejections(row: Row[Any], data: Data, concepts: Iterable[Row[Any]], user_id: str) -> list[Rejection]:
    """The rejections of some of an annotation's concepts; none where no model made it.

    What a person added to a confirmed annotation has no score: taking that back rejects nothing.

    Args:
        data: the annotation's data before the change.
        concepts: those that are rejected, as from `annotations.concepts_of`.
    """
    if not model_made(row):
        return []
    boxes = _boxes(data)
    return [
        Rejection(row.input, c.concept, boxes[c.slot + 1] if c.slot + 1 < len(boxes) else None, user_id)
        for c in concepts
        if c.score is not None or row.origin == t.MODEL
    ]


def _boxes(data: Data) -> list[Sequence[float] | None]:
    """The box of each place of the data, in the order of `annotator.labels.places`."""
    boxes: list[Sequence[float] | None] = [None, *(_box(r) for r in data.regions)]
    for frame in data.frames:
        boxes += [None, *(_box(r) for r in frame.data.regions)]
    return boxes


def _box(region: Region) -> Sequence[float] | None:
    """Top, left, bottom, right around a region; None where it has no place in the image that can be told."""
    given = region.region_info
    if given.HasField("bounding_box"):
        box = given.bounding_box
        return (box.top_row, box.left_col, box.bottom_row, box.right_col)
    points = list(given.polygon.points) or ([given.point] if given.HasField("point") else [])
    if not points:
        return None
    rows, columns = [p.row for p in points], [p.col for p in points]
    return (min(rows), min(columns), max(rows), max(columns))

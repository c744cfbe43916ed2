"""A person's word outranks a model's: what an automatic run may still say of an input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from clarifai_grpc.grpc.api.resources_pb2 import BoundingBox, Data

from labelwright.annotator.labels import places

Box = tuple[float, float, float, float]
"""top, left, bottom, right, as fractions of the image."""

SAME_BOX = 0.5
"""Overlap (intersection over union) from which two boxes are about the same thing: the usual bar of
detection benchmarks."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a person has said about one concept, in one place of an input."""

    concept_id: str
    box: Box | None = None
    """None: about the whole input, or about the whole frame."""
    frame: int | None = None
    """The time of the frame in milliseconds; None: the input has no frames."""


def said(data: Data, concepts: Iterable[tuple[int, str]]) -> Iterator[Said]:
    """What an annotation says: its data, and its concepts as slot (see `labels.places`) and id."""
    where = list(_where(data))
    for slot, concept_id in concepts:
        if slot + 1 < len(where):
            frame, box = where[slot + 1]
            yield Said(concept_id, box, frame)


def allowed(data: Data, words: Sequence[Said]) -> Data | None:
    """A model's data less what people have said already; None where nothing is left.

    A concept goes where a person has spoken of it: for the whole input, or for a box that overlaps enough.
    It doesn't matter what the person said: a yes must not be doubled, a no must not come back.
    """
    if not words:
        return data
    silent = [(i, concept.id) for i, part in enumerate(places(data)) for concept in part.concepts]
    where = list(_where(data))
    spoken = {(i, concept_id) for i, concept_id in silent if _spoken(concept_id, *where[i], words)}
    if not spoken:
        return data
    out = Data()
    out.CopyFrom(data)
    for i, part in enumerate(places(out)):
        kept = [c for c in part.concepts if (i, c.id) not in spoken]
        if len(kept) < len(part.concepts):
            del part.concepts[:]
            part.concepts.extend(kept)
    return _pruned(out, data)


def _spoken(concept_id: str, frame: int | None, box: Box | None, words: Sequence[Said]) -> bool:
    return any(
        w.concept_id == concept_id
        and w.frame == frame
        and (w.box is None) == (box is None)
        and (box is None or w.box is None or overlap(box, w.box) >= SAME_BOX)
        for w in words
    )


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0 to 1; 0 where neither has an area."""
    height = min(a[2], b[2]) - max(a[0], b[0])
    width = min(a[3], b[3]) - max(a[1], b[1])
    both = max(height, 0.0) * max(width, 0.0)
    either = _area(a) + _area(b) - both
    return both / either if either > 0 else 0.0


def _area(box: Box) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def _where(data: Data) -> Iterator[tuple[int | None, Box | None]]:
    """Frame and box of each of the `places` of ``data``, in their order."""
    yield None, None
    for region in data.regions:
        yield None, _box(region.region_info.bounding_box)
    for frame in data.frames:
        time = frame.frame_info.time
        yield time, None
        for region in frame.data.regions:
            yield time, _box(region.region_info.bounding_box)


def _box(box: BoundingBox) -> Box:
    return box.top_row, box.left_col, box.bottom_row, box.right_col


def _pruned(out: Data, before: Data) -> Data | None:
    """Without the regions and frames that lost their last concept, and without a whole that did."""
    regions = [
        r for r, old in zip(out.regions, before.regions, strict=True) if r.data.concepts or not old.data.concepts
    ]
    frames = []
    for frame, old_frame in zip(out.frames, before.frames, strict=True):
        inner = _pruned(frame.data, old_frame.data)
        if inner is not None:
            frame.data.CopyFrom(inner)
            frames.append(frame)
    kept = Data()
    kept.CopyFrom(out)
    del kept.regions[:]
    del kept.frames[:]
    kept.regions.extend(regions)
    kept.frames.extend(frames)
    lost = bool(before.concepts) and not kept.concepts
    # Metadata that came along with concepts says nothing once they are gone.
    if lost and not kept.regions and not kept.frames:
        return None
    return kept if kept.ByteSize() else None

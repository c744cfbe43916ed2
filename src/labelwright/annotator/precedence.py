"""A person's word outranks a model's: what an automatic run may still say of an input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from clarifai_grpc.grpc.api.resources_pb2 import Data, RegionInfo

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
    """The time of the frame in milliseconds, or its number below zero; None: the input has no frames."""
    shape: bytes = b""
    """Where a region has no box in the image: its place as it stands, such as a mask or a span of text."""


def said(data: Data, concepts: Iterable[tuple[int, str]]) -> Iterator[Said]:
    """What an annotation says: its data, and its concepts as slot (see `labels.places`) and id."""
    where = list(_where(data))
    for slot, concept_id in concepts:
        if slot + 1 < len(where):
            yield Said(concept_id, *where[slot + 1])


def allowed(data: Data, words: Sequence[Said]) -> Data | None:
    """A model's data less what people have said already; None where nothing is left.

    A concept goes where a person has spoken of it: for the whole input, for a box that overlaps enough, or for
    the very same mask or span. It doesn't matter what the person said: a yes must not be doubled, a no must
    not come back. A region, frame or input that loses its last concept so goes too.
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


def _spoken(concept_id: str, box: Box | None, frame: int | None, shape: bytes, words: Sequence[Said]) -> bool:
    return any(
        w.concept_id == concept_id
        and w.frame == frame
        and w.shape == shape
        and (w.box is None) == (box is None)
        and (box is None or w.box is None or overlap(box, w.box) >= SAME_BOX)
        for w in words
    )


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0 to 1. Where neither has an area: 1 if they are equal, else 0."""
    height = min(a[2], b[2]) - max(a[0], b[0])
    width = min(a[3], b[3]) - max(a[1], b[1])
    both = max(height, 0.0) * max(width, 0.0)
    either = _area(a) + _area(b) - both
    return both / either if either > 0 else float(a == b)


def _area(box: Box) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


Where = tuple[Box | None, int | None, bytes]
"""Box, frame and shape, as in `Said`."""


def _where(data: Data) -> Iterator[Where]:
    """Where each of the `places` of ``data`` is, in their order."""
    yield None, None, b""
    for region in data.regions:
        yield _of_region(region.region_info, None)
    for frame in data.frames:
        # Frames are told by their time, or, where only that is given, by their number.
        time = frame.frame_info.time or -frame.frame_info.index
        yield None, time, b""
        for region in frame.data.regions:
            yield _of_region(region.region_info, time)


def _of_region(info: RegionInfo, frame: int | None) -> Where:
    box = box_of(info)
    # A region that says nothing of its place is about the whole.
    return (box, frame, b"") if box is not None else (None, frame, info.SerializeToString(deterministic=True))


def box_of(info: RegionInfo) -> Box | None:
    """The box around a region; None where it has none in the image that can be told."""
    if info.HasField("bounding_box"):
        box = info.bounding_box
        return box.top_row, box.left_col, box.bottom_row, box.right_col
    points = list(info.polygon.points) or ([info.point] if info.HasField("point") else [])
    if not points:
        return None
    rows, columns = [p.row for p in points], [p.col for p in points]
    return min(rows), min(columns), max(rows), max(columns)


def _pruned(out: Data, before: Data) -> Data | None:
    """Without the regions and frames that lost their last concept; None where ``out`` lost its last."""
    if not _speaks(before):
        return out
    regions = [
        r for r, old in zip(out.regions, before.regions, strict=True) if r.data.concepts or not old.data.concepts
    ]
    frames = []
    for frame, old in zip(out.frames, before.frames, strict=True):
        inner = _pruned(frame.data, old.data)
        if inner is not None:
            if frame.HasField("data"):
                frame.data.CopyFrom(inner)
            frames.append(frame)
    kept = Data()
    kept.CopyFrom(out)
    del kept.regions[:]
    del kept.frames[:]
    kept.regions.extend(regions)
    kept.frames.extend(frames)
    # Metadata that came along with concepts says nothing once they are gone.
    return kept if _speaks(kept) else None


def _speaks(data: Data) -> bool:
    return bool(data.concepts or data.regions or data.frames)

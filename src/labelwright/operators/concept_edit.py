"""Replacing the concepts of a Data, wherever in it they stand. What the mappers and the thresholder share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data

Edit = Callable[[Sequence[Concept]], Sequence[Concept]]
"""What becomes of a list of concepts. An edit that changes nothing returns the very list it was given."""


def edit_concepts(data: Data, edit: Edit) -> Data | None:
    """A copy of ``data`` whose lists of concepts are edited: its own, its regions', its frames'.

    ``data`` itself where it has neither regions nor frames and the edit changes nothing.

    A region or frame that is left without a concept is dropped; None where nothing is left at all.
    Everything else that ``data`` holds is carried along.
    """
    concepts, regions, frames = data.concepts, data.regions, data.frames
    kept = edit(concepts)
    if not regions and not frames:
        if not kept:
            return None
        if kept is concepts:
            return data
        # Most data between nodes holds concepts alone: counting is cheaper than copying and clearing.
        out = _rest(data) if len(data.ListFields()) > bool(concepts) else Data()
        out.concepts.extend(kept)
        return out
    out = _rest(data)
    out.concepts.extend(kept)
    for region in regions:
        if (inner := edit_concepts(region.data, edit)) is not None:
            copy = out.regions.add(id=region.id, value=region.value, track_id=region.track_id)
            if region.HasField("region_info"):
                copy.region_info.CopyFrom(region.region_info)
            copy.data.CopyFrom(inner)
    for frame in frames:
        if (inner := edit_concepts(frame.data, edit)) is not None:
            copy_frame = out.frames.add(id=frame.id)
            if frame.HasField("frame_info"):
                copy_frame.frame_info.CopyFrom(frame.frame_info)
            copy_frame.data.CopyFrom(inner)
    return out if out.concepts or out.regions or out.frames else None


def _rest(data: Data) -> Data:
    out = Data()
    out.CopyFrom(data)
    out.ClearField("concepts")
    out.ClearField("regions")
    out.ClearField("frames")
    return out

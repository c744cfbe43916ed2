"""The places in which concepts stand."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import (
    BoundingBox,
    Data,
    Frame,
    FrameInfo,
    Mask,
    Point,
    Polygon,
    Region,
    RegionInfo,
)
from hypothesis import given
from hypothesis import strategies as st

from labelwright.annotator.labels import places
from labelwright.protocol.places import only, place_of


def box(top: float, left: float, bottom: float, right: float) -> RegionInfo:
    return RegionInfo(bounding_box=BoundingBox(top_row=top, left_col=left, bottom_row=bottom, right_col=right))


def region(name: str, info: RegionInfo | None = None) -> Region:
    return Region(id=name, region_info=info or box(0, 0, 1, 1))


@st.composite
def datas(draw: st.DrawFn) -> Data:
    made = Data(regions=[region(f"r{i}") for i in range(draw(st.integers(0, 3)))])
    for number in range(draw(st.integers(0, 3))):
        inner = Data(regions=[region(f"f{number}r{i}") for i in range(draw(st.integers(0, 2)))])
        inner.text.raw = f"frame {number}"
        made.frames.append(Frame(id=f"f{number}", frame_info=FrameInfo(index=number, time=40 * number), data=inner))
    made.text.raw = "whole"
    return made


def own(place: Data) -> Data:
    """A place's data without the places within it."""
    made = Data()
    made.CopyFrom(place)
    del made.regions[:]
    del made.frames[:]
    return made


@given(datas())
def test_each_place_can_be_cut_out(data: Data) -> None:
    for slot, place in enumerate(places(data), start=-1):
        wire, there = only(data.SerializeToString(), slot)
        cut = Data.FromString(wire)
        assert own(list(places(cut))[there + 1]) == own(place)
        assert place_of(cut, there) == place_of(data, slot)
        # Nothing of other places comes along, save the frame around a region.
        assert len(list(places(cut))) == there + 2


@pytest.mark.parametrize(
    ("info", "kinds"),
    [
        (RegionInfo(point=Point(row=0.25, col=0.5)), (0.25, 0.5, 0.25, 0.5)),
        (RegionInfo(polygon=Polygon(points=[Point(row=0, col=0.5), Point(row=0.5, col=0.25)])), (0, 0.25, 0.5, 0.5)),
        (RegionInfo(mask=Mask()), (0, 0, 1, 1)),
    ],
)
def test_shapes_have_a_box_besides(info: RegionInfo, kinds: tuple[float, float, float, float]) -> None:
    place = place_of(Data(regions=[region("r", info)]), 0)
    assert place["kind"] == "region"
    assert tuple(place["box"][k] for k in ("top", "left", "bottom", "right")) == kinds
    assert "shape" in place


def test_regions_and_frames() -> None:
    data = Data(regions=[region("r", box(0, 0.25, 0.5, 1))], frames=[Frame(frame_info=FrameInfo(index=2, time=80))])
    data.frames[0].data.regions.append(region("in"))
    assert place_of(data, -1) == {"kind": "input"}
    assert place_of(data, 0) == {
        "kind": "region",
        "region_id": "r",
        "box": {"top": 0, "left": 0.25, "bottom": 0.5, "right": 1},
    }
    assert place_of(data, 1) == {"kind": "frame", "index": 2, "time_ms": 80}
    inner = place_of(data, 2)
    assert (inner["kind"], inner["region_id"], inner["time_ms"]) == ("frame", "in", 80)
    assert place_of(data, 9) == {"kind": "input"}

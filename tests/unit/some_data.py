"""Messages for tests: short ways to write them, and hypothesis strategies for them."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import (
    BoundingBox,
    Concept,
    Data,
    Frame,
    FrameInfo,
    Point,
    Polygon,
    Region,
    RegionInfo,
)
from google.protobuf.message import Message
from hypothesis import strategies as st

scores = st.floats(0, 1, width=32)
names = st.sampled_from(("cat", "dog", "owl"))


def says(*concepts: tuple[str, float]) -> Data:
    """Concepts by id and value."""
    return Data(concepts=[Concept(id=i, value=v) for i, v in concepts])


def box(top: float, left: float, bottom: float, right: float) -> RegionInfo:
    """A region's place."""
    return RegionInfo(bounding_box=BoundingBox(top_row=top, left_col=left, bottom_row=bottom, right_col=right))


def polygon(*points: tuple[float, float]) -> RegionInfo:
    """A region's place, of points as row and column."""
    return RegionInfo(polygon=Polygon(points=[Point(row=r, col=c) for r, c in points]))


LEFT = box(0, 0, 1, 0.5)
"""The left half of an image."""


def wire(message: Message) -> bytes:
    """Bytes that are equal where messages are, presence of empty parts included."""
    return message.SerializeToString(deterministic=True)


def copied(data: Data) -> Data:
    """A copy that shares nothing."""
    return Data.FromString(data.SerializeToString())


_concepts = st.lists(st.builds(Concept, id=names, name=names, value=scores), max_size=3)
_side = st.sampled_from((0.0, 0.25, 0.5, 1.0))


@st.composite
def _places(draw: st.DrawFn) -> RegionInfo:
    kind = draw(st.sampled_from(("box", "polygon", "point", "span", "none")))
    rows, columns = sorted((draw(_side), draw(_side))), sorted((draw(_side), draw(_side)))
    if kind == "box":
        return box(rows[0], columns[0], rows[1], columns[1])
    if kind == "polygon":
        return polygon((rows[0], columns[0]), (rows[1], columns[0]), (rows[1], columns[1]))
    info = RegionInfo()
    if kind == "point":
        info.point.row, info.point.col = rows[0], columns[0]
    elif kind == "span":
        info.span.char_start, info.span.char_end = 1, draw(st.integers(2, 3))
    return info


@st.composite
def _leaves(draw: st.DrawFn) -> Data:
    data = Data(concepts=draw(_concepts))
    if draw(st.booleans()):
        data.metadata.update({"note": draw(names)})
    if draw(st.booleans()):
        data.text.raw = draw(names)
    return data


@st.composite
def _regions(draw: st.DrawFn) -> Region:
    region = Region(id=draw(names))
    if draw(st.booleans()):
        region.region_info.CopyFrom(draw(_places()))
    if draw(st.integers(0, 3)):
        region.data.CopyFrom(draw(_leaves()))
    return region


@st.composite
def _frames(draw: st.DrawFn) -> Frame:
    frame = Frame(id=draw(names), frame_info=FrameInfo(time=draw(st.sampled_from((0, 40, 80)))))
    if draw(st.integers(0, 3)):
        frame.data.CopyFrom(draw(_leaves()))
        frame.data.regions.extend(draw(st.lists(_regions(), max_size=2)))
    return frame


@st.composite
def datas(draw: st.DrawFn) -> Data:
    """Data as annotations hold it: concepts of the whole, regions, frames with regions, and what comes along."""
    data = draw(_leaves())
    data.regions.extend(draw(st.lists(_regions(), max_size=3)))
    data.frames.extend(draw(st.lists(_frames(), max_size=2)))
    return data

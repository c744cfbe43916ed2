"""What is legal in the data of an annotation."""

from __future__ import annotations

import math

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Data, Frame, Point, Polygon, Region, RegionInfo

from labelwright.errors import InvalidRequest
from labelwright.protocol.resources.annotation_data import clean


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("axis", ["row", "col", "z"])
def test_a_point_that_is_nowhere_is_refused(number: float, axis: str) -> None:
    wrong = Point()
    setattr(wrong, axis, number)
    infos = [
        RegionInfo(point=wrong),
        RegionInfo(polygon=Polygon(points=[Point(row=0.5), wrong])),
        RegionInfo(keypoint_locations=[Point(row=0.5), wrong]),
    ]
    for info in infos:
        region = Region(region_info=info)
        for data in (Data(regions=[region]), Data(frames=[Frame(data=Data(regions=[region]))])):
            with pytest.raises(InvalidRequest, match="a point of a region"):
                clean(data, InvalidRequest)


def test_a_point_beyond_the_edge_is_one() -> None:
    data = Data(regions=[Region(region_info=RegionInfo(point=Point(row=-2, col=3.5, z=1)))])
    assert clean(data, InvalidRequest) == data

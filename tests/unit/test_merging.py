"""The algebra of patches, without a server."""

from __future__ import annotations

import math
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import (
    BoundingBox,
    Color,
    Concept,
    Data,
    Frame,
    Geo,
    GeoPoint,
    Image,
    Region,
    RegionInfo,
    Text,
)
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st

from labelwright.errors import AnnotationInvalidArgument, InvalidRequest
from labelwright.protocol.merging import check_action, patched
from labelwright.protocol.resources.annotation_data import clean, is_empty

IDS = st.sampled_from(["a", "b", "c", "d", "e"])
VALUES = st.sampled_from([0.0, 0.25, 1.0])


def concepts_data(pairs: dict[str, float], metadata: dict[str, Any] | None = None) -> Data:
    made = Data(concepts=[Concept(id=i, value=v) for i, v in pairs.items()])
    if metadata is not None:
        made.metadata.SetInParent()
        made.metadata.update(metadata)
    return made


def box(top: float, left: float, bottom: float, right: float) -> RegionInfo:
    return RegionInfo(bounding_box=BoundingBox(top_row=top, left_col=left, bottom_row=bottom, right_col=right))


def values(data: Data) -> list[tuple[str, float]]:
    return [(c.id, c.value) for c in data.concepts]


keys = st.sampled_from(["k", "l", "m"])
trees: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([1.0, "x", True, None]), lambda inner: st.dictionaries(keys, inner, min_size=1, max_size=2)
)
metadata = st.dictionaries(keys, trees, min_size=1, max_size=3)
datas = st.builds(concepts_data, st.dictionaries(IDS, VALUES), st.none() | metadata)


@given(datas, datas)
def test_merge_is_idempotent(old: Data, patch: Data) -> None:
    once = patched(old, patch, "merge")
    assert patched(once, patch, "merge") == once


@given(datas, datas)
def test_merge_keeps_the_order_and_gives_what_was_said(old: Data, patch: Data) -> None:
    merged = patched(old, patch, "merge")
    ids = [c.id for c in merged.concepts]
    assert ids[: len(old.concepts)] == [c.id for c in old.concepts]
    assert len(ids) == len(set(ids))
    assert set(values(patch)) <= set(values(merged))


@given(datas, datas)
def test_overwrite_gives_what_was_set(old: Data, patch: Data) -> None:
    made = patched(old, patch, "overwrite")
    assert values(made) == (values(patch) or values(old))
    expected = patch if patch.HasField("metadata") else old
    assert MessageToDict(made.metadata) == MessageToDict(expected.metadata)


@given(datas, datas)
def test_remove_after_merge_gives_back(old: Data, patch: Data) -> None:
    # Only what the patch adds: what it changed, remove can't know.
    fresh = Data(concepts=[c for c in patch.concepts if c.id not in {o.id for o in old.concepts}])
    for key, value in patch.metadata.fields.items():
        if key not in old.metadata.fields and not value.HasField("struct_value"):
            fresh.metadata.fields[key].CopyFrom(value)
    assert patched(patched(old, fresh, "merge"), fresh, "remove") == old


@given(datas, datas, st.sampled_from(["merge", "overwrite", "remove"]))
def test_a_patch_leaves_its_arguments_alone(old: Data, patch: Data, action: str) -> None:
    before = old.SerializeToString(deterministic=True), patch.SerializeToString(deterministic=True)
    patched(old, patch, action)
    assert before == (old.SerializeToString(deterministic=True), patch.SerializeToString(deterministic=True))


@pytest.mark.parametrize("action", ["merge", "overwrite", "remove"])
@given(old=datas)
def test_an_empty_patch_changes_nothing(action: str, old: Data) -> None:
    assert patched(old, Data(), action) == old


def test_merged_concept_comes_last_and_a_known_one_stays_in_place() -> None:
    old = concepts_data({"a": 1.0, "b": 1.0})
    assert values(patched(old, concepts_data({"c": 1.0}), "merge")) == [("a", 1), ("b", 1), ("c", 1)]
    assert values(patched(old, concepts_data({"a": 0.0}), "merge")) == [("a", 0), ("b", 1)]


def test_nested_metadata() -> None:
    old = concepts_data({}, {"who": {"name": "x", "age": 3}, "n": 1})
    merged = patched(old, concepts_data({}, {"who": {"age": 4}}), "merge")
    assert MessageToDict(merged.metadata) == {"who": {"name": "x", "age": 4.0}, "n": 1.0}
    left = patched(old, concepts_data({}, {"who": {"age": 0}}), "remove")
    assert MessageToDict(left.metadata) == {"who": {"name": "x"}, "n": 1.0}
    assert not patched(old, concepts_data({}, {}), "overwrite").HasField("metadata")


def test_geo_is_replaced_and_cleared() -> None:
    old = Data(geo=Geo(geo_point=GeoPoint(longitude=1, latitude=2)))
    new = Data(geo=Geo(geo_point=GeoPoint(longitude=3)))
    assert patched(old, new, "merge").geo == new.geo
    assert not patched(old, new, "remove").HasField("geo")
    assert not patched(old, Data(geo=Geo()), "merge").HasField("geo")


def test_region_without_an_id_means_the_only_one() -> None:
    old = Data(regions=[Region(id="r", region_info=box(0.1, 0.1, 0.2, 0.2), data=concepts_data({"a": 1.0}))])
    moved = patched(old, Data(regions=[Region(region_info=box(0.3, 0.3, 0.4, 0.4))]), "merge")
    assert moved.regions[0].id == "r"
    assert moved.regions[0].region_info.bounding_box.top_row == pytest.approx(0.3)
    assert values(moved.regions[0].data) == [("a", 1.0)]
    more = patched(old, Data(regions=[Region(id="r", data=concepts_data({"b": 1.0}))]), "merge")
    assert values(more.regions[0].data) == [("a", 1.0), ("b", 1.0)]
    assert more.regions[0].region_info == old.regions[0].region_info
    assert len(patched(old, Data(regions=[Region(id="s")]), "merge").regions) == 2


def test_region_takes_the_id_it_is_given_where_it_had_none() -> None:
    old = Data(regions=[Region(region_info=box(0.1, 0.1, 0.2, 0.2))])
    made = patched(old, Data(regions=[Region(id="r", data=concepts_data({"a": 1.0}))]), "merge")
    assert [r.id for r in made.regions] == ["r"]
    assert made.regions[0].region_info == old.regions[0].region_info


def test_removing_from_a_region_or_the_region() -> None:
    old = Data(regions=[Region(id="r", region_info=box(0, 0, 1, 1), data=concepts_data({"a": 1.0, "b": 1.0}))])
    less = patched(old, Data(regions=[Region(id="r", data=concepts_data({"a": 0.0}))]), "remove")
    assert values(less.regions[0].data) == [("b", 1.0)]
    assert less.regions[0].region_info == old.regions[0].region_info
    assert not patched(old, Data(regions=[Region(id="r")]), "remove").regions
    assert patched(old, Data(regions=[Region(id="other")]), "remove") == old


def test_frames_are_patched_like_regions() -> None:
    old = Data(frames=[Frame(id="f", data=concepts_data({"a": 1.0}))])
    new = Data(frames=[Frame(data=concepts_data({"b": 1.0}))])
    assert values(patched(old, new, "merge").frames[0].data) == [("a", 1.0), ("b", 1.0)]


def test_items_without_ids_are_appended_and_removed_where_equal() -> None:
    old = Data(colors=[Color(raw_hex="#000000")])
    both = patched(old, Data(colors=[Color(raw_hex="#ffffff")]), "merge")
    assert [c.raw_hex for c in both.colors] == ["#000000", "#ffffff"]
    assert patched(both, Data(colors=[Color(raw_hex="#ffffff")]), "remove") == old


def test_text_and_plain_values_are_replaced() -> None:
    old = Data(text=Text(raw="a"), string_value="s")
    assert patched(old, Data(text=Text(raw="b")), "merge") == Data(text=Text(raw="b"), string_value="s")
    assert patched(old, Data(string_value="t"), "overwrite").string_value == "t"
    assert patched(old, Data(string_value="s"), "remove") == Data(text=Text(raw="a"))


def test_actions() -> None:
    with pytest.raises(InvalidRequest, match="merge, overwrite, remove"):
        check_action("replace")


@pytest.mark.parametrize(
    ("data", "empty"),
    [
        (Data(), True),
        (Data(image=Image()), True),
        (Data(regions=[Region(data=Data())]), True),
        (Data(regions=[Region(region_info=RegionInfo(bounding_box=BoundingBox()))]), False),
        (concepts_data({}, {}), True),
        (concepts_data({}, {"a": None}), False),
        (concepts_data({"a": 0.0}), False),
    ],
)
def test_is_empty(data: Data, empty: bool) -> None:
    assert is_empty(data) is empty


@pytest.mark.parametrize(
    "bad",
    [
        Data(concepts=[Concept(value=1)]),
        Data(concepts=[Concept(id="a", value=1.5)]),
        Data(concepts=[Concept(id="a", value=-0.1)]),
        Data(concepts=[Concept(id="a", value=math.nan)]),
        Data(concepts=[Concept(id="a\nb")]),
        Data(concepts=[Concept(id="a", name="x\0y")]),
        Data(regions=[Region(data=Data(concepts=[Concept(value=1)]))]),
        Data(regions=[Region(region_info=box(0.5, 0, 0.4, 1))]),
        Data(regions=[Region(region_info=box(math.nan, 0, 1, 1))]),
        Data(regions=[Region(region_info=box(0, 0, 1, 2))]),
        Data(frames=[Frame(data=Data(regions=[Region(region_info=box(0, 0.5, 1, 0.1))]))]),
        Data(geo=Geo(geo_point=GeoPoint(longitude=200))),
        Data(geo=Geo(geo_point=GeoPoint(latitude=math.nan))),
        concepts_data({}, {"a": [1.0, {"b": math.inf}]}),
    ],
)
def test_what_is_not_legal(bad: Data) -> None:
    with pytest.raises(AnnotationInvalidArgument):
        clean(bad, AnnotationInvalidArgument)


def test_the_last_of_equal_concepts_counts() -> None:
    twice = Data(concepts=[Concept(id="a", value=1), Concept(id="b", value=1), Concept(id="a", value=0)])
    assert values(clean(twice, AnnotationInvalidArgument)) == [("a", 0), ("b", 1)]

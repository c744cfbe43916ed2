"""Patching messages field by field: an algebra, without a server."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Image, Model, OutputConfig
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from labelwright.errors import InvalidRequest
from labelwright.protocol.patches import apply

_words = st.sampled_from(["a", "b", "c", "d"])
_scores = st.dictionaries(_words, st.sampled_from([0.0, 0.25, 1.0]), max_size=4)


def struct(**values: Any) -> Struct:
    made = Struct()
    made.update(values)
    return made


@st.composite
def models(draw: st.DrawFn) -> Model:
    made = Model(notes=draw(st.sampled_from(["", "n", "m"])))
    made.toolkits.extend(draw(st.lists(_words, unique=True)))
    made.output_info.data.concepts.extend(Concept(id=i, value=v) for i, v in draw(_scores).items())
    made.output_info.params.CopyFrom(struct(**draw(st.dictionaries(_words, st.booleans(), max_size=3))))
    made.output_info.output_config.max_concepts = draw(st.sampled_from([0, 1, 2]))
    return made


def patched(target: Model, change: Model, action: str, **more: Any) -> Model:
    made = Model()
    made.CopyFrom(target)
    before = change.SerializeToString(deterministic=True)
    apply(made, change, action, **more)
    assert change.SerializeToString(deterministic=True) == before
    return made


def scores(model: Model) -> dict[str, float]:
    return {c.id: c.value for c in model.output_info.data.concepts}


@given(models(), models())
def test_merge_adds_and_replaces_by_id_and_a_second_time_changes_nothing(target: Model, change: Model) -> None:
    made = patched(target, change, "merge")
    assert scores(made) == scores(target) | scores(change)
    assert list(scores(made))[: len(scores(target))] == list(scores(target)), "what was there keeps its place"
    assert dict(made.output_info.params) == dict(target.output_info.params) | dict(change.output_info.params)
    assert list(made.toolkits) == list(dict.fromkeys([*target.toolkits, *change.toolkits]))
    assert made.notes == (change.notes or target.notes)
    assert patched(made, change, "merge") == made


@given(models(), models())
def test_overwrite_replaces_what_is_set_and_leaves_the_rest(target: Model, change: Model) -> None:
    made = patched(target, change, "overwrite")
    assert made.output_info == change.output_info
    assert made.notes == (change.notes or target.notes)
    assert list(made.toolkits) == list(change.toolkits or target.toolkits)
    assert patched(made, change, "overwrite") == made


@given(models(), models())
def test_remove_takes_entries_and_keys_and_undoes_a_merge_of_new_ones(target: Model, change: Model) -> None:
    gone = Model(toolkits=change.toolkits)
    gone.output_info.data.CopyFrom(change.output_info.data)
    gone.output_info.params.CopyFrom(change.output_info.params)
    made = patched(target, gone, "remove")
    assert scores(made) == {i: v for i, v in scores(target).items() if i not in scores(change)}
    assert set(made.output_info.params) == set(target.output_info.params) - set(change.output_info.params)
    assert list(made.toolkits) == [t for t in target.toolkits if t not in change.toolkits]
    again = patched(patched(made, gone, "merge"), gone, "remove")
    assert scores(again) == scores(made)


@given(models(), models(), st.sampled_from(["merge", "overwrite"]))
def test_fields_apart_are_left_alone(target: Model, change: Model, action: str) -> None:
    made = patched(target, change, action, apart=("output_info", "toolkits"))
    assert (made.output_info, list(made.toolkits)) == (target.output_info, list(target.toolkits))
    assert made.notes == (change.notes or target.notes)


def test_remove_says_what_it_can_not_take() -> None:
    with pytest.raises(InvalidRequest, match="notes is none of these"):
        patched(Model(notes="n"), Model(notes="n"), "remove")
    change = Model()
    change.output_info.output_config.CopyFrom(OutputConfig(max_concepts=1))
    with pytest.raises(InvalidRequest, match="max_concepts is none of these"):
        patched(change, change, "remove")


def test_an_image_goes_by_its_url_alone() -> None:
    target = Model(image=Image(url="https://example.com/a"))
    assert not patched(target, target, "remove").HasField("image")
    for other in ("https://example.com/b", ""):
        with pytest.raises(InvalidRequest, match=r"the url is now 'https://example.com/a'"):
            patched(target, Model(image=Image(url=other)), "remove")
    with pytest.raises(InvalidRequest, match="the url is now ''"):
        patched(Model(), target, "remove")


def hosted(**widths: int) -> Image:
    """An image that holds a map of messages."""
    made = Image()
    for name, width in widths.items():
        made.hosted_image_info[name].width = width
    return made


def test_maps_are_patched_by_their_keys() -> None:
    def widths(image: Image) -> dict[str, int]:
        return {name: info.width for name, info in image.hosted_image_info.items()}

    for action, change, left in (
        ("merge", hosted(b=5, c=6), {"a": 1, "b": 5, "c": 6}),
        ("overwrite", hosted(b=5), {"b": 5}),
        ("remove", hosted(b=9, x=9), {"a": 1}),
    ):
        target = hosted(a=1, b=2)
        apply(target, change, action)
        assert widths(target) == left, action

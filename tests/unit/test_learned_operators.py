"""Learned models as bytes and as operators: a round trip changes nothing, and hostile bytes are refused."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labelwright.errors import InputUnsupportedFormat, ModelInvalidArgument
from labelwright.models.loading import load
from labelwright.operators import registry
from labelwright.operators.arrays import pack, unpack
from labelwright.operators.clusters import Clusters
from labelwright.operators.head_parts import Kernel, Linear, Neighbours, Part, Positives
from labelwright.operators.heads import Head, combine, drawn_in, likelihoods
from labelwright.operators.values import Batch, Output, Snapshot, Source
from tests.unit.some_vectors import Floats

DIMENSIONS = 3
SNAPSHOT = Snapshot("me", "app")


def some_part(kind: str, columns: int, exclusive: bool, rng: np.random.Generator, size: float) -> Part:
    def numbers(*shape: int) -> Floats:
        return (rng.normal(size=shape) * size).astype(np.float32)

    points = numbers(6, DIMENSIONS)
    if kind == "linear":
        return Linear(numbers(DIMENSIONS, columns), numbers(columns), bool(rng.integers(2)))
    if kind == "kernel":
        return Kernel(points, numbers(6, columns), numbers(columns), float(rng.uniform(0.01, 2)))
    return Neighbours(
        points,
        np.eye(columns, dtype=np.float32)[rng.integers(0, columns, 6)],
        np.ones((6, columns), np.float32),
        np.full(columns, 1 / (columns + 1), np.float32),
        numbers(columns),
        numbers(columns),
        int(rng.integers(1, 7)),
        float(rng.uniform(0, 10)),
        exclusive,
    )


@st.composite
def some_heads(draw: st.DrawFn) -> Head:
    concepts, exclusive = draw(st.integers(1, 4)), draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.sampled_from((0.0, 1.0, 100.0)))
    columns = concepts + (exclusive and draw(st.booleans()))
    kinds = draw(st.lists(st.sampled_from(("linear", "kernel", "neighbours")), min_size=1, max_size=3))
    examples = None
    if not exclusive and draw(st.booleans()):
        owner = np.zeros(2, np.float32)
        scale = np.zeros(concepts, np.float32)
        scale[0] = 0.5
        points = rng.normal(size=(2, DIMENSIONS)).astype(np.float32)
        examples = Positives(points, owner, scale, np.full(concepts, 0.75, np.float32))
    return Head(
        concepts,
        exclusive,
        DIMENSIONS,
        tuple(some_part(kind, columns, exclusive, rng, size) for kind in kinds),
        draw(st.floats(0.1, 10)),
        draw(st.floats(0.5, 20)),
        examples,
        frozenset(draw(st.sets(st.integers(0, concepts - 1)))),
    )


VECTORS = hnp.arrays(
    np.float32, st.tuples(st.integers(0, 5), st.just(DIMENSIONS)), elements=st.floats(-100, 100, width=32)
)


@settings(deadline=None)
@given(some_heads(), VECTORS)
def test_scores_are_shares_and_a_round_trip_changes_nothing(head: Head, vectors: Floats) -> None:
    scores = head.scores(vectors)
    assert scores.shape == (len(vectors), head.concepts)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (scores[:, sorted(head.unseen)] == 0).all()
    if head.exclusive:
        assert (scores.sum(axis=1, dtype=np.float64) <= 1).all()
    data = head.to_bytes()
    again = Head.from_bytes(data)
    assert again.to_bytes() == data
    np.testing.assert_array_equal(again.scores(vectors), scores)
    assert (again.kind, again.concepts, again.dimensions) == (head.kind, head.concepts, head.dimensions)


@settings(deadline=None)
@given(some_heads(), st.data())
def test_damaged_bytes_are_refused_or_make_a_head(head: Head, data: st.DataObject) -> None:
    """Never another exception than ValueError, and never a score out of its range."""
    whole = bytearray(head.to_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))]) if data.draw(st.booleans()) else bytes(whole)
    try:
        read = Head.from_bytes(cut)
    except ValueError:
        return
    with np.errstate(all="ignore"):
        scores = read.scores(np.zeros((1, read.dimensions), np.float32))
    assert ((scores >= 0) & (scores <= 1) | np.isnan(scores)).all()


HEAD = Head(2, True, 3, (Linear(np.ones((3, 2), np.float32), np.zeros(2, np.float32)),))


def rewritten(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> bytes:
    """The head's bytes with its header changed."""
    data = HEAD.to_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    about = json.loads(header["__metadata__"]["labelwright"])
    change(header, about)
    header["__metadata__"]["labelwright"] = json.dumps(about)
    said = json.dumps(header).encode()
    return len(said).to_bytes(8, "little") + said + data[8 + size :]


def pickled() -> bytes:
    file = io.BytesIO()
    np.savez(file, weights=np.array([{"a": 1}], dtype=object))
    return file.getvalue()


def set_in(where: int, *path: Any, to: Any) -> bytes:
    """The header (0) or what it says of the head (1), with one value changed."""

    def change(header: dict[str, Any], about: dict[str, Any]) -> None:
        at: Any = (header, about)[where]
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = to

    return rewritten(change)


HOSTILE = {
    "nothing": b"",
    "seven bytes": b"1234567",
    "a pickle": pickle.dumps({"weights": [1.0]}),
    "pickled arrays": pickled(),
    "a header that claims exabytes": (2**63).to_bytes(8, "little") + b"{}" * 40,
    "a header longer than all": (500).to_bytes(8, "little") + b"{}",
    "no JSON": (8).to_bytes(8, "little") + b"nonsense",
    "nested JSON": (100_000).to_bytes(8, "little") + b"[" * 100_000,
    "truncated": HEAD.to_bytes()[:-4],
    "more at the end": HEAD.to_bytes() + b"\0\0\0\0",
    "a huge shape": set_in(0, "0.weights", "shape", to=[2**39, 2**39]),
    "a negative shape": set_in(0, "0.weights", "shape", to=[-3, -2]),
    "a shape of truths": set_in(0, "0.bias", "shape", to=[True, 2]),
    "four axes": set_in(0, "0.weights", "shape", to=[3, 2, 1, 1]),
    "objects": set_in(0, "0.weights", "dtype", to="O"),
    "places that overlap": set_in(0, "0.weights", "data_offsets", to=[0, 24]),
    "another shape": set_in(0, "0.weights", "shape", to=[2, 3]),
    "another format": set_in(1, "format", to="head/999"),
    "another number of concepts": set_in(1, "concepts", to=3),
    "a billion concepts": set_in(1, "concepts", to=10**9),
    "a truth for a number": set_in(1, "concepts", to=True),
    "a text for a truth": set_in(1, "exclusive", to="yes"),
    "no parts": set_in(1, "parts", to=[]),
    "an unknown part": set_in(1, "parts", to=[{"kind": "os.system"}]),
    "a hundred parts": set_in(1, "parts", to=[{"kind": "linear", "unit": False}] * 100),
    "not a number": set_in(1, "sharpness", to=float("nan")),
    "a number too long": set_in(1, "sharpness", to=10**400),
    "another concept unseen": set_in(1, "unseen", to=[7]),
    "examples that are not there": set_in(1, "examples", to=True),
    "arrays of nobody": pack(
        json.loads(
            json.loads(HEAD.to_bytes()[8 : 8 + int.from_bytes(HEAD.to_bytes()[:8], "little")])["__metadata__"][
                "labelwright"
            ]
        ),
        unpack(HEAD.to_bytes())[1] | {"more": np.ones(1, np.float32)},
    ),
    "infinite weights": HEAD.to_bytes()[:-4] + np.float32("inf").tobytes(),
    "weights that are no numbers": HEAD.to_bytes()[:-4] + np.float32("nan").tobytes(),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_bytes_are_refused_with_a_reason(data: bytes) -> None:
    for read in (Head.from_bytes, Clusters.from_bytes):
        with pytest.raises(ValueError) as refused:
            read(data)
        assert len(str(refused.value)) > 10
    for type_id in ("embedding-classifier", "knn-concept", "clusterer"):
        with pytest.raises(ModelInvalidArgument, match=r"can't be used: .*; train it anew"):
            load(registry.get(type_id), "v", {}, two_concepts(), SNAPSHOT, data)


def test_the_bytes_are_in_the_layout_of_safetensors() -> None:
    data = HEAD.to_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    assert header["0.weights"] == {"dtype": "F32", "shape": [3, 2], "data_offsets": [8, 32]}
    assert size % 8 == 0
    np.testing.assert_array_equal(np.frombuffer(data, "<f4", 2, offset=8 + size), [0, 0])


# --- scores ---------------------------------------------------------------------------------------


@given(hnp.arrays(np.float64, (3, 4), elements=st.floats(-500, 500)), st.booleans(), st.floats(1, 12))
def test_drawing_in_keeps_the_order_and_what_is_below(logits: Any, exclusive: bool, proven: float) -> None:
    before = likelihoods(logits, exclusive)
    after = drawn_in(before, proven, exclusive)
    assert ((after >= 0) & (after <= 1)).all()
    top = (np.arange(3), before.argmax(axis=1))
    below = before[top][:, None] < before[top][None, :]
    assert (after[top][:, None] <= after[top][None, :])[below].all()
    low = before[top] < 1 / (1 + np.exp(-proven))
    np.testing.assert_allclose(after[top][low], before[top][low], atol=1e-9)
    if exclusive:
        assert (after.sum(axis=1) <= 1 + 1e-12).all()


def test_scores_near_certainty_do_not_tie() -> None:
    gaps = np.linspace(5, 60, 500)
    logits = np.stack([gaps, np.zeros(500)], axis=1)
    single = drawn_in(likelihoods(logits, True), 7.0, True)[:, 0].astype(np.float32)
    assert len(np.unique(single)) > 450
    assert len(np.unique(likelihoods(logits, True)[:, 0].astype(np.float32))) < 200


def test_an_average_can_be_made_surer() -> None:
    scores = [np.array([[0.9, 0.1]]), np.array([[0.7, 0.3]])]
    for exclusive in (True, False):
        assert combine(scores, 1.0, exclusive)[0, 0] == pytest.approx(0.8)
        assert combine(scores, 2.0, exclusive)[0, 0] == pytest.approx(0.64 / 0.68)


def test_vectors_of_another_shape_are_refused() -> None:
    for vectors in (np.zeros((1, 4)), np.zeros(3), np.full((1, 3), np.nan)):
        with pytest.raises(ValueError):
            HEAD.scores(vectors.astype(np.float32))


# --- operators ------------------------------------------------------------------------------------


def two_concepts() -> Data:
    return Data(
        concepts=[
            Concept(id="cat", name="Cat", app_id="app", user_id="me", value=1),
            Concept(id="dog", name="Dog", app_id="app", user_id="me", value=1),
        ]
    )


def batch(vectors: Floats | None, rows: int = 1) -> Batch:
    return Batch(Source([Data()] * rows), list(range(rows)), [Data()] * rows, vectors)


def told(data: Data | None) -> list[tuple[str, float]]:
    return [(c.id, round(c.value, 4)) for c in data.concepts] if data is not None else []


def classifier(head: Head = HEAD, **more: Any) -> Any:
    return load(registry.get("embedding-classifier"), "v", {}, two_concepts(), SNAPSHOT, head.to_bytes(), **more)


def test_a_classifier_says_its_concepts_the_likeliest_first() -> None:
    head = Head(2, True, 3, (Linear(np.eye(3, 2, dtype=np.float32), np.zeros(2, np.float32)),))
    said = classifier(head)(batch(np.array([[0, np.log(3), 9], [0, 0, 0]], np.float32), 2)).data
    assert [told(d) for d in said] == [[("dog", 0.75), ("cat", 0.25)], [("cat", 0.5), ("dog", 0.5)]]
    assert said[0].concepts[0].name == "Dog"
    assert (said[0].concepts[0].app_id, said[0].concepts[0].user_id) == ("app", "me")


def test_a_concept_that_a_head_can_not_see_is_absent() -> None:
    head = Head(2, False, 3, HEAD.parts, unseen=frozenset({0}))
    assert told(classifier(head)(batch(np.zeros((1, 3), np.float32))).data[0]) == [("dog", 0.5)]


def test_it_makes_its_own_vectors_where_none_of_its_length_reach_it() -> None:
    def embed(given: Batch) -> Output:
        return Output([None] * len(given), vectors=np.zeros((len(given), 3), np.float32))

    for vectors in (None, np.zeros((1, 5), np.float32)):
        assert told(classifier(embed=embed)(batch(vectors)).data[0]) == [("cat", 0.5), ("dog", 0.5)]


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        (None, "put an embedder before it"),
        (np.zeros((1, 5), np.float32), "of 3 dimensions, and was given 5"),
        (np.full((1, 3), np.inf, np.float32), "finite"),
    ],
)
def test_vectors_that_it_can_not_take_are_refused(vectors: Floats | None, said: str) -> None:
    with pytest.raises(InputUnsupportedFormat, match=said):
        classifier()(batch(vectors))


def test_a_version_of_other_concepts_than_it_was_trained_on_is_refused() -> None:
    with pytest.raises(ModelInvalidArgument, match="lists 1 concepts, and was trained on 2"):
        load(registry.get("knn-concept"), "v", {}, Data(concepts=[Concept(id="cat")]), SNAPSHOT, HEAD.to_bytes())


def test_a_learned_clusterer_gives_ids() -> None:
    clusters = Clusters(np.eye(3, dtype=np.float32), np.array([0, 0, 1], np.float32))
    operator = load(registry.get("clusterer"), "v", {}, Data(), SNAPSHOT, clusters.to_bytes())
    said = operator(batch(np.array([[0, 5, 0], [0, 0, 0.1], [1, 1, 0]], np.float32), 3)).data
    assert [d.clusters[0].id for d in said if d is not None] == ["0_1", "1_0", "0_0"]
    assert [round(d.clusters[0].score, 3) for d in said if d is not None] == [1, 1, 0.5]


def test_an_untrained_version_is_refused() -> None:
    with pytest.raises(ModelInvalidArgument, match="it was not trained, or its training has not ended"):
        load(registry.get("embedding-classifier"), "v", {}, two_concepts(), SNAPSHOT)

"""What holds for every model type: one row each in CASES, the same checks for all.

A new type is a new row: how it is set, an input, and what comes of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Cluster, Concept, Data, Region
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from labelwright.errors import InputUnsupportedFormat, ModelInvalidArgument
from labelwright.models import catalogue
from labelwright.models.builtin import descriptor
from labelwright.models.builtin import operators as builtin
from labelwright.models.loading import load
from labelwright.operators import registry
from labelwright.operators.head_parts import Linear
from labelwright.operators.heads import Head
from labelwright.operators.registry import Kind, check_params
from labelwright.operators.values import Batch, ConceptRef, Operator, Output, Pixels, Relation, Snapshot, Source
from tests.unit.some_data import LEFT, copied, says, wire

PEOPLE = ConceptRef("clarifai", "main", "ai_l8TKp2h5", "people")
SNAPSHOT = Snapshot(
    "me",
    "app",
    relations=(
        Relation(ConceptRef("me", "app", "people", "People"), "synonym", PEOPLE),
        Relation(ConceptRef("me", "app", "beings", "Beings"), "hypernym", PEOPLE),
        Relation(ConceptRef("me", "app", "men", "Men"), "hyponym", PEOPLE),
    ),
    people=frozenset(("me", "friend")),
)
PREDICTED = Data(
    concepts=[Concept(id=PEOPLE.id, name="people", value=0.75, app_id="main", user_id="clarifai")],
    regions=[Region(id="r", region_info=LEFT, data=says(("ai_other", 0.5)))],
)


def mapped(id: str) -> Data:
    return Data(concepts=[Concept(id=id, name=id.title(), value=0.75, app_id="app", user_id="me")])


@cache
def picture(seed: int) -> Pixels:
    """Blurred noise: an image in which nobody is."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    image = np.repeat(np.repeat(coarse, 8, axis=0), 8, axis=1)
    image.flags.writeable = False
    return image


@dataclass(frozen=True)
class Case:
    """How a version of the type is made, an input, and what the operator makes of it."""

    id: str
    expected: Data
    given: Data = field(default_factory=lambda: PREDICTED)
    params: Mapping[str, Any] = field(default_factory=dict)
    data: Data = field(default_factory=Data)
    version_id: str = ""
    drafts: tuple[Data, ...] = ()
    dimensions: int = 0
    """Of the vectors it makes; 0: it makes none."""
    pixels: bool = False
    """It takes images."""
    artifact: bytes | None = None
    """What training made."""


UNDECIDED = Head(
    1,
    False,
    descriptor.DIMENSIONS,
    (Linear(np.zeros((descriptor.DIMENSIONS, 1), np.float32), np.zeros(1, np.float32)),),
)
CASES = [
    Case("concept-synonym-mapper", mapped("people")),
    Case("concept-hypernym-mapper", mapped("beings")),
    Case("concept-hyponym-mapper", mapped("men")),
    Case(
        "concept-threshold",
        Data(concepts=PREDICTED.concepts),
        params={"concept_threshold_type": 1},
        data=says((PEOPLE.id, 0.75), ("ai_other", 0.75)),
    ),
    Case(
        "concept-threshold",
        Data(regions=PREDICTED.regions),
        params={"concept_threshold_type": "LESS_THAN", "filter_other_concepts": True},
        data=says((PEOPLE.id, 0.75), ("ai_other", 0.75)),
    ),
    Case(
        "annotation-writer",
        PREDICTED,
        params={"annotation_status": 24150, "annotation_user_id": "friend", "annotation_info": {"task_id": "t"}},
        drafts=(Data(concepts=PREDICTED.concepts), Data(regions=PREDICTED.regions)),
    ),
    Case("visual-classifier", Data(), Data(), version_id=catalogue.RECOGNITION.version_id, pixels=True),
    Case("visual-detector", Data(), Data(), version_id=catalogue.FACES.version_id, pixels=True),
    Case(
        "visual-embedder",
        Data(),
        Data(),
        version_id=catalogue.EMBEDDING.version_id,
        dimensions=descriptor.DIMENSIONS,
        pixels=True,
    ),
    Case(
        "clusterer",
        Data(clusters=[Cluster(id="@")]),
        Data(),
        version_id=catalogue.CLUSTERING.version_id,
        pixels=True,
    ),
    *(
        Case(
            type_id,
            Data(concepts=[Concept(id="cat", value=0.5)]),
            Data(),
            data=Data(concepts=[Concept(id="cat")]),
            pixels=True,
            artifact=UNDECIDED.to_bytes(),
        )
        for type_id in ("embedding-classifier", "knn-concept")
    ),
]


def through_a_struct(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as a stored version holds them: numbers are doubles."""
    struct = Struct()
    struct.update(dict(params))
    return MessageToDict(struct)


def made(case: Case, params: Mapping[str, Any] | None = None) -> Operator:
    given = through_a_struct(case.params if params is None else params)
    embed = builtin.embedding() if case.artifact else None
    return load(registry.get(case.id), case.version_id, given, case.data, SNAPSHOT, case.artifact, embed)


def run(operator: Operator, *items: tuple[Data, int]) -> Output:
    """Run over items, each an input and the seed of its picture, as one batch of a source of its own."""
    source = Source([d for d, _ in items], [picture(seed) for _, seed in items])
    return operator(Batch(source, list(range(len(items))), source.data))


def shown(data: Data | None) -> Data | None:
    """As compared: which cluster a picture falls into is not this table's business."""
    if data is None or not data.clusters:
        return data
    return Data(clusters=[Cluster(id="@") for _ in data.clusters])


@pytest.fixture(params=CASES, ids=lambda c: f"{c.id}-{len(c.params)}")
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def test_every_type_has_a_row() -> None:
    assert {c.id for c in CASES} == {t.id for t in registry.all_types()}


def test_it_makes_what_it_should(case: Case) -> None:
    output = run(made(case), (case.given, 0))
    assert [shown(d) for d in output.data] == [shown(case.expected)]
    drafts = output.drafts[0] if output.drafts else []
    assert [d.data for d in drafts] == list(case.drafts)
    assert (output.vectors.shape if output.vectors is not None else (1, 0)) == (1, case.dimensions)


def test_it_leaves_its_input_as_it_was(case: Case) -> None:
    given = copied(case.given)
    run(made(case), (given, 0), (given, 1))
    assert wire(given) == wire(case.given)


def test_it_takes_an_empty_batch(case: Case) -> None:
    output = run(made(case))
    assert output.data == []
    assert not output.drafts
    assert output.vectors is None or output.vectors.shape == (0, case.dimensions)


def test_a_batch_gives_what_its_items_give_one_by_one(case: Case) -> None:
    operator = made(case)
    low = says((PEOPLE.id, 0.125))
    items = [(case.given, 0), (Data(), 1), (low, 2), (case.given, 3), (case.given, 0)]
    together, alone = run(operator, *items), [run(operator, item) for item in items]
    assert together.data == [a.data[0] for a in alone]
    assert together.drafts == (None if together.drafts is None else [a.drafts[0] for a in alone if a.drafts])
    if together.vectors is not None:
        np.testing.assert_array_equal(
            together.vectors, np.concatenate([a.vectors for a in alone if a.vectors is not None])
        )
        assert together.vectors.dtype == np.float32


def test_it_remembers_nothing_between_batches(case: Case) -> None:
    operator = made(case)
    first = run(operator, (case.given, 0))
    run(operator, (says(("x", 1)), 1), (Data(), 2))
    assert run(operator, (case.given, 0)).data == first.data == run(made(case), (case.given, 0)).data


def test_it_declares_what_it_makes(case: Case) -> None:
    """The graph is checked by what types declare, so an operator may not make anything else."""
    model_type = registry.get(case.id)
    output = run(made(case), (case.given, 0))
    fields = {f.name for d in output.data if d is not None for f, _ in d.ListFields()}
    declared = {path.partition("[")[0] for path in model_type.outputs}
    assert fields <= declared or "any" in declared
    assert (output.vectors is not None) == ("embeddings" in declared)
    assert (output.drafts is not None) == model_type.writes
    assert case.pixels == ("image" in model_type.inputs)


def test_an_image_model_refuses_an_input_without_an_image(case: Case) -> None:
    if case.pixels:
        with pytest.raises(InputUnsupportedFormat, match="takes images, and the input has none"):
            made(case)(Batch(Source([Data()]), [0], [Data()]))
    else:
        assert made(case)(Batch(Source([case.given]), [0], [case.given])).data == [case.expected]


def test_defaults_fill_in(case: Case) -> None:
    model_type = registry.get(case.id)
    needed = {p.name: case.params[p.name] for p in model_type.params if p.required}
    checked = check_params(model_type, through_a_struct(needed))
    optional = [p for p in model_type.params if p.kind is not Kind.THRESHOLDS and not p.required]
    assert {p.name: checked[p.name] for p in optional} == {p.name: p.default for p in optional}
    # Said or left out, a default makes the same operator.
    defaults = {p.name: p.default for p in optional if p.default is not None}
    assert run(made(case, needed), (case.given, 0)).data == run(made(case, needed | defaults), (case.given, 0)).data


WRONG: dict[Kind, tuple[Any, ...]] = {
    Kind.BOOLEAN: (1, "true", {}),
    Kind.STRING: (1, True, []),
    Kind.ENUM: ("1", "3.0", "NO_SUCH_NAME", 99, 0.5, True, []),
    Kind.USER: (1, True, {}),
    Kind.JSON: ("{}", 1, []),
}


@pytest.mark.parametrize(
    ("case", "name", "value"),
    [
        pytest.param(c, p.name, value, id=f"{c.id}-{p.name}-{value!r}")
        for c in CASES
        for p in registry.get(c.id).params
        for value in WRONG.get(p.kind, ())
    ],
    indirect=["case"],
)
def test_a_parameter_of_another_kind_is_refused_with_what_is_legal(case: Case, name: str, value: Any) -> None:
    with pytest.raises(ModelInvalidArgument, match=f"{case.id}: {name} is .*; legal is ") as refused:
        made(case, {**case.params, name: value})
    options = next(p.options for p in registry.get(case.id).params if p.name == name) or {}
    assert all(option in refused.value.details for option in options)


def test_an_unknown_parameter_is_refused_with_the_known_ones(case: Case) -> None:
    model_type = registry.get(case.id)
    with pytest.raises(ModelInvalidArgument, match="no parameter 'surprise'; its parameters are: ") as refused:
        check_params(model_type, {**case.params, "surprise": 1})
    names = [p.name for p in model_type.params if p.kind is not Kind.THRESHOLDS]
    assert refused.value.details.endswith(", ".join(names) or "none")


def test_a_version_that_nothing_stands_behind_is_refused(case: Case) -> None:
    model_type = registry.get(case.id)
    if model_type.make is None:
        with pytest.raises(ModelInvalidArgument, match="needs weights, and version 'unheard-of' has none"):
            load(model_type, "unheard-of", {}, Data(), SNAPSHOT)
    else:
        # Made from parameters alone, whatever the version is called.
        operator = load(model_type, "unheard-of", through_a_struct(case.params), case.data, SNAPSHOT)
        assert run(operator, (case.given, 0)).data == [case.expected]

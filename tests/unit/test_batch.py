"""Running a plan over a batch: whose results are whose, what one failure costs, and what is computed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Image, Text, Video
from numpy.typing import NDArray

from labelwright import config
from labelwright.annotator import batch
from labelwright.annotator.batch import IMAGES_AT_ONCE, make
from labelwright.annotator.commit import Made
from labelwright.annotator.intake import Intake
from labelwright.errors import InputFailed, InputUnsupportedFormat, WorkflowNodeFailed
from labelwright.ids import new_id
from labelwright.media.blobs import BlobStore
from labelwright.models import catalogue
from labelwright.models.builtin import descriptor
from labelwright.models.loading import load
from labelwright.operators import registry
from labelwright.operators.registry import ANY, ModelType
from labelwright.operators.values import Batch, Operator, Output, Snapshot
from labelwright.workflows import engine
from tests.unit.some_data import says
from tests.unit.some_media import Site, loopback_site, noise, png

APP = 7
PREDICTS = ModelType(id="predicts", title="", description="", inputs=ANY, outputs=("concepts",), predicts=True)
SNAPSHOT = Snapshot("me", "app", people=frozenset(("me",)))


@pytest.fixture
def site() -> Iterator[Site]:
    with loopback_site() as opened:
        yield opened


@pytest.fixture
def blobs() -> BlobStore:
    return BlobStore(f"memory://{new_id()}")


@pytest.fixture
def intake(tmp_path: Path, blobs: BlobStore) -> Intake:
    return Intake(config.load(home=tmp_path, allow_private_urls=True), blobs)


def row(pk: int, data: Data, media: str | None = None) -> Any:
    """An input's row as the annotator claims it."""
    return SimpleNamespace(pk=pk, id=f"input-{pk}", wire=data.SerializeToString(), media=media)


def node(id: str, operator: Operator, *inputs: str, type: ModelType = PREDICTS) -> engine.Node:
    return engine.Node(id, type, engine.ModelRef("me", "app", id, f"{id}-version"), operator, inputs)


def writer(id: str, *inputs: str, status: str = "ANNOTATION_SUCCESS") -> engine.Node:
    model_type = registry.get("annotation-writer")
    return node(id, load(model_type, "", {"annotation_status": status}, Data(), SNAPSHOT), *inputs, type=model_type)


def builtin(id: str, model: catalogue.PublicModel, *inputs: str) -> engine.Node:
    model_type = registry.get(model.model_type_id)
    operator = load(model_type, model.version_id, {}, Data(), SNAPSHOT)
    ref = engine.ModelRef("clarifai", "main", model.id, model.version_id)
    return engine.Node(id, model_type, ref, operator, inputs)


def plan(*nodes: engine.Node) -> engine.Plan:
    return engine.plan("workflow", "version", nodes)


def names_it(batch: Batch) -> Output:
    """Says which input it sees, as a prediction."""
    ids = [batch.source.ids[r] for r in batch.rows]
    return Output([Data(concepts=[Concept(id=i, value=0.5)]) for i in ids])


def ran(graph: engine.Plan, rows: Sequence[Any], intake: Intake) -> dict[int, Made]:
    made = make(graph, APP, rows, intake)
    assert made is not None
    return made


def drafted(made: Made) -> list[tuple[str, str]]:
    return [(c.id, by) for draft, by, _ in made.drafts for c in draft.data.concepts]


def test_each_input_gets_what_was_made_of_it_whatever_its_neighbours_are(
    site: Site, intake: Intake, blobs: BlobStore
) -> None:
    blobs.put("7/own", png())
    rows = [
        row(11, Data(image=Image(url=site.url("/a", png())))),
        row(12, Data(text=Text(raw="a text"))),
        row(13, Data(image=Image(url=site.url("/nowhere")))),
        row(14, Data(image=Image(url="http://127.0.0.1:1/never"))),
        row(15, Data(image=Image(url="http://127.0.0.1:1/never")), media="7/own"),
        row(16, Data(image=Image(url=site.url("/page", b"<html>")))),
        row(17, Data(text=Text(url=site.url("/text", b"another")))),
    ]
    made = ran(plan(node("name", names_it), writer("write", "name")), rows, intake)
    assert sorted(made) == [11, 12, 13, 14, 15, 16, 17]
    assert {pk: drafted(m) for pk, m in made.items() if m.error is None} == {
        pk: [(f"input-{pk}", "name-version")] for pk in (11, 12, 15, 17)
    }
    assert {pk: type(m.error) for pk, m in made.items() if m.error} == {
        13: InputFailed,
        14: InputFailed,
        16: InputUnsupportedFormat,
    }
    assert [made[pk].drafts for pk in (13, 14, 16)] == [[], [], []]
    # What was fetched lies under a key that follows from the input's.
    assert {pk: m.media for pk, m in made.items() if m.media} == {11: "7/u11", 16: "7/u16", 17: "7/u17"}
    assert blobs.get("7/u11") == png()


def test_a_node_that_raises_on_one_input_fails_only_that_and_drops_all_its_drafts(intake: Intake) -> None:
    def picky(batch: Batch) -> Output:
        if any(batch.source.ids[r] == "input-2" for r in batch.rows):
            raise ValueError("not this one")
        return Output(list(batch.data), vectors=np.ones((len(batch), 2), np.float32))

    def embeds(batch: Batch) -> Output:
        return Output([Data() for _ in batch.rows], vectors=np.zeros((len(batch), 3), np.float32))

    graph = plan(
        node("embed", embeds),
        node("name", names_it),
        writer("before", "name"),
        node("picky", picky, "name"),
        writer("behind", "picky", status="ANNOTATION_PENDING"),
    )
    made = ran(graph, [row(i, Data(text=Text(raw="t"))) for i in (1, 2, 3)], intake)
    for pk in (1, 3):
        assert made[pk].error is None
        assert [(d.status_code, by) for d, by, _ in made[pk].drafts] == [
            (24150, "name-version"),
            (24151, "picky-version"),
        ]
        assert set(made[pk].vectors) == {"embed-version", "picky-version"}
    assert (made[2].drafts, made[2].vectors) == ([], {})
    assert isinstance(made[2].error, WorkflowNodeFailed)
    assert made[2].error.details == "node 'picky' (picky) failed: ValueError: not this one"


def test_an_empty_plan_takes_inputs_in_all_the_same(site: Site, intake: Intake, blobs: BlobStore) -> None:
    rows = [row(1, Data(image=Image(url=site.url("/a", png())))), row(2, Data(image=Image(url=site.url("/404"))))]
    made = ran(plan(), rows, intake)
    assert (made[1].media, made[1].drafts, made[1].vectors, made[1].error) == ("7/u1", [], {}, None)
    assert isinstance(made[2].error, InputFailed)
    assert blobs.exists("7/u1")


def test_no_rows_are_no_work(intake: Intake) -> None:
    assert ran(plan(node("name", names_it)), [], intake) == {}


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each call of the descriptor got."""
    calls: list[int] = []
    describe = descriptor.describe

    def counted(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        calls.append(len(images))
        return describe(images)

    monkeypatch.setattr(descriptor, "describe", counted)
    return calls


def images(*seeds: int) -> list[Any]:
    return [row(s, Data(image=Image(base64=noise(s)))) for s in seeds]


def test_an_image_is_described_once_whoever_asks(intake: Intake, described: list[int]) -> None:
    graph = plan(
        builtin("cluster", catalogue.CLUSTERING),
        builtin("embed", catalogue.EMBEDDING),
        builtin("embed again", catalogue.EMBEDDING),
        builtin("cluster of the embedding", catalogue.CLUSTERING, "embed"),
        writer("write", "cluster", "cluster of the embedding"),
    )
    made = ran(graph, images(1, 2, 3), intake)
    assert described == [3]
    vectors = [m.vectors for m in made.values()]
    assert [set(v) for v in vectors] == [{catalogue.EMBEDDING.version_id}] * 3
    assert len({v[catalogue.EMBEDDING.version_id].tobytes() for v in vectors}) == 3
    # One cluster by the image and one by its embedding: the same.
    for m in made.values():
        ((draft, _, _),) = m.drafts
        first, second = draft.data.clusters
        assert first == second


def test_an_image_is_described_once_even_when_its_batch_runs_again_one_by_one(
    intake: Intake, described: list[int]
) -> None:
    def picky(batch: Batch) -> Output:
        if len(batch) > 1:
            raise MemoryError
        return Output(list(batch.data))

    graph = plan(
        builtin("embed", catalogue.EMBEDDING), node("picky", picky), builtin("cluster", catalogue.CLUSTERING, "picky")
    )
    assert all(m.error is None for m in ran(graph, images(1, 2, 3), intake).values())
    assert described == [3]


def test_an_input_without_an_image_costs_its_neighbours_nothing(intake: Intake, described: list[int]) -> None:
    rows = [*images(1, 2), row(9, Data(video=Video(base64=b"RIFF\x04\0\0\0AVI LIST")))]
    made = ran(plan(builtin("embed", catalogue.EMBEDDING), builtin("cluster", catalogue.CLUSTERING)), rows, intake)
    assert {pk: (m.error, list(m.vectors)) for pk, m in made.items()} == {
        1: (None, [catalogue.EMBEDDING.version_id]),
        2: (None, [catalogue.EMBEDDING.version_id]),
        9: (None, []),
    }
    assert sum(described) == 2


def test_images_come_a_few_at_a_time_and_texts_together(intake: Intake) -> None:
    sizes: list[int] = []

    def spy(batch: Batch) -> Output:
        sizes.append(len(batch))
        return Output(list(batch.data))

    texts = [row(1000 + i, Data(text=Text(raw="t"))) for i in range(50)]
    pictures = [row(i, Data(image=Image(base64=png()))) for i in range(IMAGES_AT_ONCE * 2 + 1)]
    mixed = [r for pair in zip(texts, pictures, strict=False) for r in pair] + texts[len(pictures) :]
    made = ran(plan(node("spy", spy)), mixed, intake)
    assert sizes == [50, IMAGES_AT_ONCE, IMAGES_AT_ONCE, 1]
    assert set(made) == {r.pk for r in mixed}


def test_it_stops_between_two_groups_when_told_to(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "IMAGES_AT_ONCE", 1)
    seen: list[str] = []

    def spy(b: Batch) -> Output:
        seen.extend(b.source.ids)
        return Output(list(b.data))

    rows = [row(i, Data(image=Image(base64=png()))) for i in (1, 2, 3)]
    assert make(plan(node("spy", spy)), APP, rows, intake, stop=lambda: len(seen) == 2) is None
    assert seen == ["input-1", "input-2"]
    assert make(plan(node("spy", spy)), APP, rows, intake, stop=lambda: True) is None
    assert len(seen) == 2


def test_a_score_that_is_no_number_is_no_prediction(intake: Intake) -> None:
    def odd(batch: Batch) -> Output:
        return Output([says(("nan", float("nan")), ("sure", 0.9)) for _ in batch.rows])

    predicts = engine.Node("odd", PREDICTS, engine.ModelRef("me", "app", "odd", "v"), odd, floor=0.05)
    made = ran(plan(predicts, writer("write", "odd")), [row(1, Data(text=Text(raw="t")))], intake)
    assert drafted(made[1]) == [("sure", "v")]

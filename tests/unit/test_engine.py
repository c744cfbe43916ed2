"""Running a graph over a batch: merging, floors, failures of single items, and what doesn't run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Frame, Region
from hypothesis import given
from hypothesis import strategies as st

from labelwright.errors import InputUnsupportedFormat, WorkflowNodeFailed
from labelwright.operators.registry import ANY, ModelType
from labelwright.operators.values import Batch, Draft, Operator, Output, Source
from labelwright.workflows.engine import ModelRef, Node, Plan, Run, merge, plan, run, takes

TAKES = ModelType(id="any", title="", description="", inputs=ANY, outputs=ANY)
PREDICTS = ModelType(id="predictor", title="", description="", inputs=ANY, outputs=("concepts",), predicts=True)
WRITES = ModelType(id="writer", title="", description="", inputs=ANY, outputs=ANY, writes=True)


def node(
    id: str,
    operator: Operator,
    *inputs: str,
    kind: ModelType = TAKES,
    floor: float = 0.0,
) -> Node:
    return Node(id, kind, ModelRef("me", "app", f"{id}-model", f"{id}-version"), operator, inputs, floor=floor)


def graph(*nodes: Node) -> Plan:
    return plan("workflow", "version", nodes)


def says(*concepts: tuple[str, float], app_id: str = "") -> Data:
    return Data(concepts=[Concept(id=i, value=v, app_id=app_id) for i, v in concepts])


def scores(data: Data | None) -> list[tuple[str, float]] | None:
    return None if data is None else [(c.id, round(c.value, 4)) for c in data.concepts]


def each(of: Callable[[Data], Data | None]) -> Operator:
    return lambda batch: Output([of(d) for d in batch.data])


echo = each(lambda data: data)


def source(n: int) -> Source:
    """Inputs that are told apart by the concept that each holds."""
    return Source([says((f"input-{i}", 1)) for i in range(n)])


class Spy:
    """An operator that passes on what it gets and remembers which rows came together."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def __call__(self, batch: Batch) -> Output:
        self.batches.append(list(batch.rows))
        return Output(list(batch.data))


def test_an_empty_plan_runs_nothing() -> None:
    made = run(graph(), source(3))
    assert (made.nodes, made.failed) == ({}, {})


def test_an_empty_source_calls_no_operator() -> None:
    spy = Spy()
    made = run(graph(node("a", spy), node("b", spy, "a")), source(0))
    assert spy.batches == []
    assert made.nodes["b"].data == []


def test_a_whole_batch_goes_through_each_node_once() -> None:
    first, second = Spy(), Spy()
    made = run(graph(node("a", first), node("b", second, "a")), source(4))
    assert first.batches == second.batches == [[0, 1, 2, 3]]
    assert [scores(d) for d in made.nodes["b"].data] == [[(f"input-{i}", 1.0)] for i in range(4)]


def test_a_node_without_predecessors_gets_the_input_itself() -> None:
    made = run(graph(node("a", each(lambda _: says(("made", 1)))), node("b", echo)), source(1))
    assert scores(made.nodes["b"].data[0]) == [("input-0", 1.0)]


def test_nodes_behind_a_none_do_not_run_for_that_item() -> None:
    def only_even(batch: Batch) -> Output:
        return Output([d if row % 2 == 0 else None for row, d in zip(batch.rows, batch.data, strict=True)])

    spy, last = Spy(), Spy()
    made = run(graph(node("a", only_even), node("b", spy, "a"), node("c", last, "b")), source(5))
    assert spy.batches == last.batches == [[0, 2, 4]]
    assert [d is None for d in made.nodes["c"].data] == [False, True, False, True, False]
    assert made.failed == {}


def test_a_node_that_nothing_reaches_is_not_called() -> None:
    spy = Spy()
    run(graph(node("a", each(lambda _: None)), node("b", spy, "a")), source(3))
    assert spy.batches == []


def test_one_of_two_predecessors_is_enough() -> None:
    nodes = (
        node("nothing", each(lambda _: None)),
        node("something", each(lambda _: says(("cat", 0.5)))),
        node("both", echo, "nothing", "something"),
    )
    assert scores(run(graph(*nodes), source(1)).nodes["both"].data[0]) == [("cat", 0.5)]


def test_predecessors_are_merged_and_of_a_concept_the_higher_score_counts() -> None:
    nodes = (
        node("a", each(lambda _: says(("cat", 0.4), ("dog", 0.9)))),
        node("b", each(lambda _: says(("cat", 0.7), ("owl", 0.1)))),
        node("both", echo, "a", "b"),
    )
    merged = run(graph(*nodes), source(1)).nodes["both"].data[0]
    assert scores(merged) == [("dog", 0.9), ("cat", 0.7), ("owl", 0.1)]


def test_the_same_id_in_two_apps_is_two_concepts() -> None:
    merged = merge([says(("cat", 0.4), app_id="main"), says(("cat", 0.7), app_id="mine")])
    assert sorted((c.app_id, round(c.value, 4)) for c in merged.concepts) == [("main", 0.4), ("mine", 0.7)]


def test_merging_keeps_regions_and_other_fields_of_all_and_changes_no_part() -> None:
    first, second = Data(regions=[Region(id="a")]), says(("cat", 1))
    second.metadata.update({"k": "v"})
    copies = [Data.FromString(d.SerializeToString()) for d in (first, second)]
    merged = merge([first, second])
    assert [r.id for r in merged.regions] == ["a"]
    assert scores(merged) == [("cat", 1.0)]
    assert merged.metadata["k"] == "v"
    assert [first, second] == copies


_concepts = st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 1, width=32)), max_size=4)


@given(st.lists(_concepts, min_size=1, max_size=4))
def test_merging_gives_each_concept_its_highest_score_whatever_the_order(parts: list[list[tuple[str, float]]]) -> None:
    once = [list(dict(part).items()) for part in parts]
    best: dict[str, float] = {}
    for part in once:
        for name, value in part:
            best[name] = max(best.get(name, 0.0), value)
    for order in (once, once[::-1]):
        merged = merge([says(*part) for part in order])
        assert {c.id: c.value for c in merged.concepts} == best
        assert len(merged.concepts) == len(best)


def test_a_prediction_below_the_floor_is_none_and_one_at_the_floor_is() -> None:
    data = says(("under", 0.24), ("at", 0.25), ("over", 0.9))
    made = run(graph(node("p", each(lambda _: data), kind=PREDICTS, floor=0.25)), source(1))
    assert scores(made.nodes["p"].data[0]) == [("at", 0.25), ("over", 0.9)]
    assert len(data.concepts) == 3, "what the operator made is its own"


def test_the_floor_holds_in_regions_and_frames_and_a_region_left_without_concepts_goes() -> None:
    region = Region(id="mixed", data=says(("low", 0.1), ("high", 0.9)))
    data = Data(
        regions=[region, Region(id="low", data=says(("low", 0.1))), Region(id="bare")],
        frames=[Frame(id="f", data=Data(concepts=says(("low", 0.1), ("high", 0.9)).concepts, regions=[region]))],
    )
    made = run(graph(node("p", each(lambda _: data), kind=PREDICTS, floor=0.5)), source(1)).nodes["p"].data[0]
    assert made is not None
    assert [(r.id, scores(r.data)) for r in made.regions] == [("mixed", [("high", 0.9)]), ("bare", [])]
    assert scores(made.frames[0].data) == [("high", 0.9)]
    assert scores(made.frames[0].data.regions[0].data) == [("high", 0.9)]


def test_only_predictions_have_a_floor() -> None:
    made = run(graph(node("a", each(lambda _: says(("low", 0.01))), floor=0.5)), source(1))
    assert scores(made.nodes["a"].data[0]) == [("low", 0.01)]


def test_a_node_that_raises_on_one_item_loses_only_that_item() -> None:
    def picky(batch: Batch) -> Output:
        if 1 in batch.rows:
            raise ValueError("not this one")
        return Output(list(batch.data), vectors=np.array([[row, 0] for row in batch.rows], np.float32))

    spy = Spy()
    made = run(graph(node("a", picky), node("b", spy, "a")), source(3))
    assert spy.batches == [[0, 2]]
    assert {row: v.tolist() for row, v in made.nodes["a"].vectors.items()} == {0: [0, 0], 2: [2, 0]}
    assert list(made.failed) == [1]
    assert isinstance(made.failed[1], WorkflowNodeFailed)
    assert made.failed[1].details == "node 'a' (a-model) failed: ValueError: not this one"


def test_an_item_that_failed_reaches_no_other_branch() -> None:
    def picky(batch: Batch) -> Output:
        if 0 in batch.rows:
            raise ValueError
        return Output(list(batch.data))

    spy = Spy()
    made = run(graph(node("a", picky), node("b", spy)), source(2))
    assert spy.batches == [[1]]
    assert list(made.failed) == [0]


def test_an_error_of_ours_keeps_its_code() -> None:
    def refuse(_batch: Batch) -> Output:
        raise InputUnsupportedFormat("no image")

    made = run(graph(node("a", refuse)), source(2))
    assert {row: (e.code, e.details) for row, e in made.failed.items()} == {
        0: (30101, "no image"),
        1: (30101, "no image"),
    }


@pytest.mark.parametrize(
    ("made", "says_what"),
    [
        (lambda n: Output([Data()] * (n + 1)), "it made 2 outputs of 1 inputs"),
        (lambda n: Output([Data()] * n, vectors=np.zeros((n + 1, 2), np.float32)), "it made 2 outputs of 1 inputs"),
        (lambda n: Output([Data()] * n, drafts=[]), "it made 0 outputs of 1 inputs"),
        (lambda _: None, "AttributeError"),
    ],
    ids=["data", "vectors", "drafts", "not an output"],
)
def test_an_output_of_the_wrong_length_counts_for_nothing(made: Callable[[int], Output], says_what: str) -> None:
    spy = Spy()
    done = run(graph(node("a", lambda batch: made(len(batch))), node("b", spy, "a")), source(2))
    assert spy.batches == []
    assert sorted(done.failed) == [0, 1]
    assert says_what in done.failed[0].details
    assert "'a'" in done.failed[0].details
    assert done.nodes["a"].data == [None, None]
    assert (done.nodes["a"].vectors, done.nodes["a"].drafts) == ({}, {})


def test_an_operator_that_only_fails_on_whole_batches_still_serves_every_item() -> None:
    def one_at_a_time(batch: Batch) -> Output:
        if len(batch) > 1:
            raise MemoryError("too many at once")
        return Output(list(batch.data))

    made = run(graph(node("a", one_at_a_time)), source(4))
    assert made.failed == {}
    assert all(d is not None for d in made.nodes["a"].data)


@given(st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7)))
def test_exactly_the_items_that_a_node_raises_on_fail(bad_a: set[int], bad_b: set[int]) -> None:
    def raising(bad: set[int]) -> Operator:
        def operator(batch: Batch) -> Output:
            if found := bad & set(batch.rows):
                raise ValueError(f"{sorted(found)}")
            return Output(list(batch.data))

        return operator

    made: Run = run(graph(node("a", raising(bad_a)), node("b", raising(bad_b), "a")), source(8))
    assert set(made.failed) == bad_a | bad_b
    assert [row for row, d in enumerate(made.nodes["b"].data) if d is not None] == sorted(set(range(8)) - bad_a - bad_b)


def test_embeddings_reach_the_next_node_by_item_and_survive_a_rerun_item_by_item() -> None:
    seen: list[tuple[list[int], list[list[float]]]] = []

    def embed(batch: Batch) -> Output:
        vectors = np.array([[row, row + 0.5] for row in batch.rows], np.float32)
        return Output([Data() if row != 1 else None for row in batch.rows], vectors=vectors)

    def look(batch: Batch) -> Output:
        assert batch.vectors is not None
        if len(batch) > 1:
            raise ValueError
        seen.append((list(batch.rows), batch.vectors.tolist()))
        return Output(list(batch.data))

    run(graph(node("e", embed), node("l", look, "e")), source(3))
    assert seen == [([0], [[0.0, 0.5]]), ([2], [[2.0, 2.5]])]


def test_drafts_are_kept_by_input_and_only_where_there_are_any() -> None:
    def write(batch: Batch) -> Output:
        drafts = [[Draft(d, 24150, "me")] if row else [] for row, d in zip(batch.rows, batch.data, strict=True)]
        return Output(list(batch.data), drafts=drafts)

    made = run(graph(node("w", write, kind=WRITES)), source(3))
    assert sorted(made.nodes["w"].drafts) == [1, 2]
    assert made.nodes["w"].drafts[2][0].data.concepts[0].id == "input-2"


def test_a_writer_writes_the_predictions_of_the_nearest_predictor_behind_it() -> None:
    made = graph(
        node("far", echo, kind=PREDICTS),
        node("near", echo, "far", kind=PREDICTS),
        node("relay", echo, "near"),
        node("behind", echo, "relay", kind=WRITES),
        node("mixed", echo, "relay", "far", kind=WRITES),
        node("first", echo, "near", "far", kind=WRITES),
        node("chained", echo, "behind", kind=WRITES),
        node("nobody", echo, kind=WRITES),
    )
    assert made.predicted_by == {
        "behind": "near-version",
        "mixed": "far-version",
        "first": "near-version",
        "chained": "near-version",
        "nobody": "",
    }


def test_an_input_passes_a_node_by_that_can_not_work_on_it() -> None:
    looks = ModelType(id="looks", title="", description="", inputs=("image", "embeddings"), outputs=("concepts",))
    spy, behind = Spy(), Spy()
    image, text = Data(), Data()
    image.image.url, text.text.raw = "http://somewhere/x.jpg", "words"
    made = run(graph(node("looks", spy, kind=looks), node("behind", behind, "looks")), Source([text, image, text]))
    assert (spy.batches, behind.batches) == ([[1]], [[1]])
    assert made.failed == {}
    assert made.nodes["looks"].data == [None, image, None]


@pytest.mark.parametrize(
    ("inputs", "fields", "reached"),
    [
        (("concepts", "regions[...].data.concepts"), {"regions": 1}, True),
        (("concepts", "regions[...].data.concepts"), {"text": 1}, False),
        (("regions[...].region_info.bounding_box",), {"regions": 1}, True),
        (ANY, {"text": 1}, True),
    ],
)
def test_what_a_node_can_work_on(inputs: tuple[str, ...], fields: dict[str, int], reached: bool) -> None:
    data = Data(regions=[Region()] if "regions" in fields else [])
    if "text" in fields:
        data.text.raw = "words"
    kind = ModelType(id="kind", title="", description="", inputs=inputs, outputs=ANY)
    assert takes(node("n", echo, kind=kind), data) is reached

"""What went through each node of a run: inputs and concepts, in and out."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Frame, Region
from hypothesis import given
from hypothesis import strategies as st

from labelwright.operators.registry import ANY, CONCEPT_FIELDS, ModelType
from labelwright.operators.values import Batch, Draft, Operator, Output, Source
from labelwright.workflows.engine import Plan, plan, run
from labelwright.workflows.flows import NOTHING, NodeFlow, Through, count, flows
from tests.unit.test_engine import PREDICTS, TAKES, WRITES, each, echo, graph, node, says

EDITS = ModelType(id="edits", title="", description="", inputs=CONCEPT_FIELDS, outputs=CONCEPT_FIELDS)


def through(made: Plan, source: Source) -> dict[str, Through]:
    return {name: flow.through() for name, flow in flows(made, run(made, source)).items()}


def over(limit: float) -> Operator:
    """A thresholder; as the real one it hands the very same message on where nothing is dropped."""

    def keep(data: Data) -> Data | None:
        kept = [c for c in data.concepts if c.value >= limit]
        return data if len(kept) == len(data.concepts) else Data(concepts=kept) if kept else None

    return each(keep)


def writes(batch: Batch) -> Output:
    return Output(list(batch.data), drafts=[[Draft(d, 24150, "me")] for d in batch.data])


def sources(n: int) -> Source:
    return Source([says(("own", 1)) for _ in range(n)])


def numbered(batch: Batch) -> Output:
    """Input k is said to be k things, the last of which is the surest; input 0 is nothing."""
    made = [says(*((f"c{i}", (i + 1) / 10) for i in range(row))) for row in batch.rows]
    return Output([d if d.concepts else None for d in made])


def test_from_predictor_to_writer() -> None:
    made = graph(
        node("sees", numbered, kind=PREDICTS),
        node("over", over(0.3), "sees", kind=EDITS),
        node("writes", writes, "over", kind=WRITES),
    )
    assert through(made, sources(5)) == {
        # An input's own concepts are not what flows.
        "sees": Through(5, 4, 0, 1 + 2 + 3 + 4),
        # Of input 3 the last one is left, and of input 4 the last two.
        "over": Through(4, 2, 10, 3),
        "writes": Through(2, 2, 3, 3),
    }


def test_of_several_predecessors_the_merged_concepts_count() -> None:
    made = graph(
        node("a", each(lambda _: says(("x", 0.5), ("y", 0.5))), kind=PREDICTS),
        node("b", each(lambda _: says(("x", 0.7))), kind=PREDICTS),
        node("both", over(0.6), "a", "b", kind=EDITS),
    )
    assert through(made, sources(2))["both"] == Through(2, 2, 4, 2)


def test_concepts_do_not_matter_to_every_node() -> None:
    made = graph(node("embeds", echo, kind=TAKES), node("sees", numbered, "embeds", kind=PREDICTS))
    assert through(made, sources(3)) == {"embeds": Through(3, 3, 0, 0), "sees": Through(3, 2, 0, 3)}


def test_inputs_on_which_a_node_failed_can_be_left_out() -> None:
    def fails(batch: Batch) -> Output:
        if 2 in batch.rows:
            raise ValueError("not this one")
        return Output(list(batch.data))

    made = graph(
        node("sees", numbered, kind=PREDICTS),
        node("fails", fails, "sees", kind=EDITS),
        node("over", over(0.3), "sees", kind=EDITS),
    )
    done = run(made, sources(4))
    assert list(done.failed) == [2]
    counted = flows(made, done)
    good = {0, 1, 3}
    assert counted["sees"].through(good) == Through(3, 2, 0, 4)
    assert counted["fails"].through(good) == Through(2, 2, 4, 4)
    assert counted["over"].through(good) == counted["over"].through() == Through(2, 1, 4, 1)


def test_an_empty_run() -> None:
    made = graph(node("a", echo), node("b", echo, "a"))
    assert through(made, Source([])) == {"a": Through(0, 0, 0, 0), "b": Through(0, 0, 0, 0)}
    assert flows(plan("w", "v", []), run(plan("w", "v", []), sources(2))) == {}


def test_concepts_are_counted_wherever_they_stand() -> None:
    data = says(("a", 1), ("b", 1))
    data.regions.extend([Region(data=says(("c", 1))), Region()])
    frame = Frame(data=says(("d", 1)))
    frame.data.regions.append(Region(data=says(("e", 1), ("f", 1))))
    data.frames.append(frame)
    assert count(data) == 6
    assert count(Data()) == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 5)), max_size=20), st.data())
def test_parts_add_up_to_the_whole(numbers: list[tuple[int, int]], data: st.DataObject) -> None:
    rows = range(10, 10 + len(numbers))
    flow = NodeFlow(rows, [came for came, _ in numbers], [went for _, went in numbers])
    some = set(data.draw(st.lists(st.sampled_from(list(rows)), unique=True))) if numbers else set()
    parts = flow.through(some), flow.through(set(rows) - some)
    assert tuple(a + b for a, b in zip(*parts, strict=True)) == flow.through()
    assert flow.through().passed == sum(went != NOTHING for _, went in numbers)


def test_concepts_of_an_input_alone() -> None:
    assert count(Data(concepts=[Concept(id="a")])) == 1


def test_concepts_of_regions_are_followed_through_the_nodes() -> None:
    detects = ModelType(id="d", title="", description="", inputs=ANY, outputs=CONCEPT_FIELDS[1:], predicts=True)
    found = Data(regions=[Region(data=says(("a", 0.9))), Region(data=says(("b", 0.9)))])
    made = graph(
        node("detects", each(lambda _: found), kind=detects),
        node("copies", each(lambda d: Data.FromString(d.SerializeToString())), "detects", kind=EDITS),
        node("writes", writes, "copies", kind=WRITES),
    )
    assert set(through(made, sources(1)).values()) == {Through(1, 1, 0, 2), Through(1, 1, 2, 2)}

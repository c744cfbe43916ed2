"""Checking a workflow's graph: which orders come out, and what each refusal says."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelwright.errors import WorkflowInvalidGraph
from labelwright.operators import registry
from labelwright.operators.registry import ANY, ModelType
from labelwright.workflows.graph import GraphNode, check

MAX = 20

RELAY = ModelType(id="relay", title="", description="", inputs=ANY, outputs=ANY)


def node(id: str, type_id: str, *inputs: str) -> GraphNode:
    return GraphNode(id, registry.get(type_id), inputs)


def relay(id: str, *inputs: str) -> GraphNode:
    return GraphNode(id, RELAY, inputs)


TUTORIAL = [
    node("general-embed", "visual-embedder"),
    node("general-concept", "visual-classifier"),
    node("general-cluster", "clusterer"),
    node("mapper", "concept-synonym-mapper", "general-concept"),
    node("greater-than", "concept-threshold", "mapper"),
    node("write-success", "annotation-writer", "greater-than"),
    node("less-than", "concept-threshold", "mapper"),
    node("write-pending", "annotation-writer", "less-than"),
]

LEGAL: dict[str, tuple[list[GraphNode], list[str]]] = {
    "empty": ([], []),
    "the tutorial's": (TUTORIAL, [n.id for n in TUTORIAL]),
    "turned round": (TUTORIAL[::-1], []),
    "no node_inputs means the raw image": ([node("a", "visual-classifier")], ["a"]),
    "an embedding or an image will do for a clusterer": (
        [node("e", "visual-embedder"), node("c", "clusterer", "e")],
        ["e", "c"],
    ),
    "an image is found behind any node": (
        [node("c", "visual-classifier"), node("w", "annotation-writer", "c"), node("d", "visual-detector", "w")],
        ["c", "w", "d"],
    ),
    "concepts of regions are concepts": (
        [node("d", "visual-detector"), node("t", "concept-threshold", "d")],
        ["d", "t"],
    ),
    "any passes on what reached it": (
        [node("c", "visual-classifier"), relay("r", "c"), node("t", "concept-threshold", "r")],
        ["c", "r", "t"],
    ),
    "one of several sources is enough": (
        [node("e", "visual-embedder"), node("c", "visual-classifier"), node("t", "concept-threshold", "e", "c")],
        ["e", "c", "t"],
    ),
    "a writer takes the input itself": ([node("w", "annotation-writer")], ["w"]),
    "as many as are legal": ([relay(str(i)) for i in range(MAX)], [str(i) for i in range(MAX)]),
    "only what has to move moves": (
        [relay("b", "a"), relay("x"), relay("a"), relay("y", "b")],
        ["x", "a", "b", "y"],
    ),
}


@pytest.mark.parametrize("case", LEGAL)
def test_legal(case: str) -> None:
    nodes, expected = LEGAL[case]
    order = check(nodes, max_nodes=MAX)
    if expected or not nodes:
        assert order == expected
    _assert_runnable(nodes, order)


def _assert_runnable(nodes: list[GraphNode], order: list[str]) -> None:
    assert sorted(order) == sorted(n.id for n in nodes)
    at = {name: i for i, name in enumerate(order)}
    assert all(at[before] < at[n.id] for n in nodes for before in n.inputs)


REFUSED: dict[str, tuple[list[GraphNode], list[str]]] = {
    "too many": ([relay(str(i)) for i in range(MAX + 1)], ["21 nodes", "20 at most"]),
    "no id": ([relay("a"), relay("")], ["no id"]),
    "the same id twice": ([relay("a"), relay("b"), relay("a")], ["'a'", "two nodes"]),
    "a predecessor that isn't there": ([relay("a", "b"), relay("c")], ["'a'", "'b'", "there are: a, c"]),
    "itself": ([relay("a", "a")], ["'a'", "own output"]),
    "a predecessor named twice": ([relay("a"), relay("b", "a", "a")], ["'b'", "twice"]),
    "two in a circle": ([relay("a", "b"), relay("b", "a")], ["circle", "a → b → a"]),
    "a circle that others wait for": (
        [relay("z", "a"), relay("a", "b"), relay("b", "c"), relay("c", "a"), relay("free")],
        ["circle", "a → c → b → a"],
    ),
    "a thresholder behind an embedder": (
        [node("embed", "visual-embedder"), node("over", "concept-threshold", "embed")],
        ["'over' (concept-threshold)", "takes concepts", "(embed) give embeddings"],
    ),
    "a thresholder behind a clusterer": (
        [node("cluster", "clusterer"), node("over", "concept-threshold", "cluster")],
        ["'over'", "clusters"],
    ),
    "a mapper without predecessors": (
        [node("map", "concept-synonym-mapper")],
        ["'map' (concept-synonym-mapper)", "no node_inputs", "concepts"],
    ),
    "a relay of the raw input has no concepts": (
        [relay("r"), node("over", "concept-threshold", "r")],
        ["'over'", "image"],
    ),
    "a relay behind an embedder has no concepts": (
        [node("e", "visual-embedder"), relay("r", "e"), node("over", "concept-threshold", "r")],
        ["'over'", "(r) give embeddings"],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    nodes, says = REFUSED[case]
    with pytest.raises(WorkflowInvalidGraph) as refused:
        check(nodes, max_nodes=MAX)
    for part in says:
        assert part in refused.value.details


def test_a_deep_and_dense_graph_is_checked_in_reasonable_work() -> None:
    # Each of 300 relays takes every one before it: followed path by path, that would be 2**298 paths.
    nodes = [relay(str(i), *(str(j) for j in range(i))) for i in range(300)]
    assert check(nodes[::-1], max_nodes=300) == [str(i) for i in range(300)]


def test_a_long_chain_does_not_exhaust_the_stack() -> None:
    nodes = [relay("0")] + [relay(str(i), str(i - 1)) for i in range(1, 1000)]
    assert check(nodes, max_nodes=1000) == [n.id for n in nodes]


@st.composite
def graphs(draw: st.DrawFn) -> list[GraphNode]:
    """Any graph of 'any' nodes, circles and all, but no node that takes itself."""
    n = draw(st.integers(1, 9))
    names = [f"n{i}" for i in range(n)]
    edges = st.lists(st.sampled_from(names), unique=True, max_size=4)
    return [relay(name, *(i for i in draw(edges) if i != name)) for name in names]


@st.composite
def acyclic(draw: st.DrawFn) -> list[GraphNode]:
    n = draw(st.integers(0, 12))
    nodes = []
    for i in range(n):
        before = draw(st.lists(st.integers(0, i - 1), unique=True)) if i else []
        nodes.append(relay(f"n{i}", *(f"n{j}" for j in before)))
    return draw(st.permutations(nodes))


@given(acyclic())
def test_every_acyclic_graph_passes_in_an_order_that_respects_its_edges(nodes: list[GraphNode]) -> None:
    order = check(nodes, max_nodes=MAX)
    _assert_runnable(nodes, order)
    by_id = {n.id: n for n in nodes}
    ordered = [by_id[i] for i in order]
    assert check(ordered, max_nodes=MAX) == order


def _has_cycle(nodes: list[GraphNode]) -> bool:
    """By taking away what nothing waits for, the other way round from how `check` goes."""
    left = {n.id: set(n.inputs) for n in nodes}
    while True:
        wanted = set().union(*left.values()) if left else set()
        ends = [name for name in left if name not in wanted]
        if not ends:
            return bool(left)
        for name in ends:
            del left[name]


@given(graphs())
def test_a_graph_is_refused_exactly_where_it_has_a_cycle_and_a_real_one_is_named(nodes: list[GraphNode]) -> None:
    if not _has_cycle(nodes):
        _assert_runnable(nodes, check(nodes, max_nodes=MAX))
        return
    with pytest.raises(WorkflowInvalidGraph) as refused:
        check(nodes, max_nodes=MAX)
    named = re.fullmatch(r"the nodes run in a circle: (.*)", refused.value.details)
    assert named is not None
    path = named[1].split(" → ")
    assert len(path) >= 3
    assert path[0] == path[-1]
    assert len(set(path)) == len(path) - 1
    inputs = {n.id: n.inputs for n in nodes}
    assert all(before in inputs[after] for before, after in pairwise(path))

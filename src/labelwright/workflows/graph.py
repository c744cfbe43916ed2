"""The graph of a workflow, and everything that can be wrong with it before a row is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labelwright.errors import WorkflowInvalidGraph
from labelwright.operators.registry import ModelType

RAW_FIELDS = frozenset(("image", "video", "audio", "text", "metadata", "geo"))
"""What an input itself can offer to a node without predecessors."""


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node as far as the graph is concerned."""

    id: str
    type: ModelType
    inputs: tuple[str, ...] = ()
    """The nodes whose output it takes; none: it takes the input itself."""


def check(nodes: Sequence[GraphNode], *, max_nodes: int) -> list[str]:
    """The ids of the nodes in an order in which they can run: as given, where that order already serves.

    Raises:
        WorkflowInvalidGraph: too many nodes; an id that is empty or used twice; a predecessor that isn't
            there, is named twice, or is the node itself; a cycle; a node whose predecessors don't give
            what it takes. The message names the node.
    """
    if len(nodes) > max_nodes:
        raise WorkflowInvalidGraph(f"the workflow has {len(nodes)} nodes; {max_nodes} at most are legal")
    by_id: dict[str, GraphNode] = {}
    for node in nodes:
        if not node.id:
            raise WorkflowInvalidGraph("a node has no id; each needs one of its own")
        if node.id in by_id:
            raise WorkflowInvalidGraph(f"two nodes are called {node.id!r}; each needs an id of its own")
        by_id[node.id] = node
    for node in nodes:
        _check_inputs(node, by_id)
    order = _order(nodes)
    offers: dict[str, frozenset[str]] = {}
    for node_id in order:
        node = by_id[node_id]
        offered = frozenset(field for name in node.inputs for field in offers[name])
        _check_chain(node, offered)
        offers[node_id] = _offers(node, offered)
    return order


def _check_inputs(node: GraphNode, by_id: dict[str, GraphNode]) -> None:
    for name in node.inputs:
        if name == node.id:
            raise WorkflowInvalidGraph(f"node {node.id!r} takes its own output")
        if name not in by_id:
            raise WorkflowInvalidGraph(
                f"node {node.id!r} takes the output of {name!r}, but there is no such node; "
                f"there are: {', '.join(by_id)}"
            )
    if len(set(node.inputs)) < len(node.inputs):
        raise WorkflowInvalidGraph(f"node {node.id!r} names one of its node_inputs twice")


def _order(nodes: Sequence[GraphNode]) -> list[str]:
    order: dict[str, None] = {}
    waiting = list(nodes)
    while waiting:
        ready = next((i for i, n in enumerate(waiting) if all(name in order for name in n.inputs)), None)
        if ready is None:
            raise WorkflowInvalidGraph(f"the nodes run in a circle: {' → '.join(_cycle(waiting))}")
        order[waiting.pop(ready).id] = None
    return list(order)


def _cycle(waiting: Sequence[GraphNode]) -> list[str]:
    """One circle among nodes that all wait for each other, in the direction that data would flow."""
    by_id = {n.id: n for n in waiting}
    path = [waiting[0].id]
    while True:
        following = next(i for i in by_id[path[-1]].inputs if i in by_id)
        if following in path:
            return [following, *reversed(path[path.index(following) :])]
        path.append(following)


def _check_chain(node: GraphNode, offered: frozenset[str]) -> None:
    if "any" in node.type.inputs:
        return
    if not node.inputs:
        if not RAW_FIELDS & set(node.type.inputs):
            raise WorkflowInvalidGraph(
                f"node {node.id!r} ({node.type.id}) has no node_inputs, so it gets the input itself, which has "
                f"none of what it takes: {', '.join(node.type.inputs)}"
            )
        return
    # Whoever takes an image finds the input's own, however far behind it is in the graph.
    if "image" in node.type.inputs or offered & set(node.type.inputs):
        return
    raise WorkflowInvalidGraph(
        f"node {node.id!r} ({node.type.id}) takes {' or '.join(node.type.inputs)}, but its node_inputs "
        f"({', '.join(node.inputs)}) give {', '.join(sorted(offered)) or 'nothing'}"
    )


def _offers(node: GraphNode, offered: frozenset[str]) -> frozenset[str]:
    """What a node hands on. "any" means what reached it."""
    if "any" not in node.type.outputs:
        return frozenset(node.type.outputs)
    return offered if node.inputs else RAW_FIELDS

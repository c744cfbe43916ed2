"""How much went through each node of a run: counted after the run, from what its nodes hold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from clarifai_grpc.grpc.api.resources_pb2 import Data

from labelwright.workflows.engine import Node, NodeResult, Plan, Run

NOTHING = -1
"""Stands for an input of which a node handed nothing on."""


class Through(NamedTuple):
    """What went through one node."""

    reached: int
    """Inputs that came to it."""
    passed: int
    """Inputs of which it handed something on."""
    concepts_in: int
    """Concepts that predecessors handed to it, in all places of these inputs; those that an input comes with are
    none."""
    concepts_out: int


@dataclass(frozen=True, slots=True)
class NodeFlow:
    """What went through one node, input by input."""

    rows: Sequence[int]
    """The inputs of the source that reached it."""
    came: Sequence[int]
    """How many concepts each of them came with; empty where these are not counted."""
    went: Sequence[int]
    """How many of each were handed on, or NOTHING."""

    def through(self, rows: Collection[int] | None = None) -> Through:
        """Added up over these inputs of the source; None: all."""
        reached, came, went = len(self.rows), self.came, self.went
        if rows is not None:
            here = [i for i, row in enumerate(self.rows) if row in rows]
            reached = len(here)
            came, went = [came[i] for i in here] if came else came, [went[i] for i in here]
        ended = went.count(NOTHING)
        return Through(reached, reached - ended, sum(came), sum(went) - ended * NOTHING)


def flows(graph: Plan, done: Run) -> dict[str, NodeFlow]:
    """What went through each node of a run."""
    made: dict[str, NodeFlow] = {}
    flat: dict[str, bool] = {}
    for node in graph.nodes:
        result = done.nodes[node.id]
        came = _came(node, result, made)
        flat[node.id] = _is_flat(node, flat)
        made[node.id] = NodeFlow(result.rows, came, _went(node, result, came, done, flat[node.id]))
    return made


def _is_flat(node: Node, before: dict[str, bool]) -> bool:
    """Whether what a node hands on can have concepts nowhere but at the top; by what its type says."""
    if node.type.outputs == ("concepts",):
        return True
    return not node.type.predicts and bool(node.inputs) and all(before[name] for name in node.inputs)


def _came(node: Node, result: NodeResult, before: dict[str, NodeFlow]) -> Sequence[int]:
    if result.merged is not None:
        return [count(data) for data in result.merged]
    if not node.inputs:
        return ()
    # What one predecessor handed on need not be counted twice.
    handed = before[node.inputs[0]]
    came = [n for n in handed.went if n != NOTHING]
    if len(came) == len(result.rows):
        return came
    # A node failed on some inputs in between.
    by_row = dict(zip(handed.rows, handed.went, strict=True))
    return [by_row[row] for row in result.rows]


def _went(node: Node, result: NodeResult, came: Sequence[int], done: Run, flat: bool) -> Sequence[int]:
    data, rows = result.data, result.rows
    if not _has_concepts(node.type.outputs):
        # A writer hands on what it is handed; of the others nobody asks for concepts.
        same = came if node.type.writes and came else [0] * len(rows)
        return [NOTHING if data[row] is None else n for row, n in zip(rows, same, strict=True)]
    if flat:
        # The common case: to look for regions and frames takes longer than all the rest.
        return [NOTHING if (d := data[row]) is None else len(d.concepts) for row in rows]
    if result.merged is None and node.inputs:
        # The very same message has the same concepts.
        handed = done.nodes[node.inputs[0]].data
        return [
            NOTHING if (d := data[row]) is None else n if d is handed[row] else count(d)
            for row, n in zip(rows, came, strict=True)
        ]
    return [NOTHING if (d := data[row]) is None else count(d) for row in rows]


@cache
def _has_concepts(outputs: tuple[str, ...]) -> bool:
    return any(path.endswith("concepts") for path in outputs)


def count(data: Data) -> int:
    """How many concepts stand in a Data: its own, its regions' and its frames'."""
    found = len(data.concepts)
    if regions := data.regions:
        found += sum(count(region.data) for region in regions)
    if frames := data.frames:
        found += sum(count(frame.data) for frame in frames)
    return found

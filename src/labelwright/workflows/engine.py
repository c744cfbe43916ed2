"""Running a graph, node by node, over a whole batch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data

from labelwright import metrics
from labelwright.errors import LabelwrightError, WorkflowNodeFailed
from labelwright.operators.registry import ModelType
from labelwright.operators.values import Batch, Draft, Operator, Output, Source, Vectors


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which version of which model stands in a node."""

    user_id: str
    app_id: str
    model_id: str
    version_id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A node that is ready to run."""

    id: str
    type: ModelType
    model: ModelRef
    operator: Operator
    inputs: tuple[str, ...] = ()
    suppress: bool = False
    """Its output is not shown to clients."""
    floor: float = 0.0
    """A predicted concept with a score below this is no prediction."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A workflow that is ready to run: its nodes in an order in which they can."""

    workflow_id: str
    workflow_version_id: str
    nodes: tuple[Node, ...]
    predicted_by: dict[str, str] = field(default_factory=dict)
    """For each writer, the version of the model whose predictions it writes ("" where none does)."""


@dataclass(slots=True)
class NodeResult:
    """What a node made, by input of the source."""

    data: list[Data | None]
    """None: the node did not run for this input, or handed nothing on."""
    vectors: dict[int, Vectors] = field(default_factory=dict)
    """The embedding of an input, by its row."""
    drafts: dict[int, list[Draft]] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    """The inputs that reached it."""
    merged: list[Data] | None = None
    """What each of them came with, where several predecessors handed it on."""


@dataclass(slots=True)
class Run:
    """What a whole graph made of a source."""

    nodes: dict[str, NodeResult]
    failed: dict[int, LabelwrightError]
    """The inputs for which a node failed, with the reason; nothing of theirs counts."""


def plan(workflow_id: str, workflow_version_id: str, nodes: Sequence[Node]) -> Plan:
    """Put nodes that are in a runnable order (see `graph.check`) together."""
    by_id = {n.id: n for n in nodes}
    return Plan(
        workflow_id,
        workflow_version_id,
        tuple(nodes),
        {n.id: _predicted_by(n, by_id) for n in nodes if n.type.writes},
    )


def _predicted_by(node: Node, by_id: dict[str, Node]) -> str:
    """The version of the nearest predicting model behind a node, nearest first, in the order of the graph."""
    seen: set[str] = set()
    level = list(node.inputs)
    while level:
        for name in level:
            if by_id[name].type.predicts:
                return by_id[name].model.version_id
        seen.update(level)
        level = [i for name in level for i in by_id[name].inputs if i not in seen]
    return ""


def run(graph: Plan, source: Source) -> Run:
    """Run every node over every input that reaches it.

    A node that raises is run again input by input: only the inputs that it fails on are lost to the run.
    """
    done: dict[str, NodeResult] = {}
    failed: dict[int, LabelwrightError] = {}
    for node in graph.nodes:
        batch = _gather(node, done, source, failed)
        result = NodeResult([None] * len(source), rows=batch.rows, merged=batch.data if len(node.inputs) > 1 else None)
        if len(batch):
            started = time.perf_counter()
            _scatter(node, _run_node(node, batch, failed), result)
            metrics.node(node.type.id, time.perf_counter() - started)
        done[node.id] = result
    return Run(done, failed)


def _gather(node: Node, done: dict[str, NodeResult], source: Source, failed: dict[int, LabelwrightError]) -> Batch:
    rows, data = [], []
    if not node.inputs:
        rows = [r for r in range(len(source)) if r not in failed and takes(node, source.data[r])]
        data = [source.data[r] for r in rows]
        return Batch(source, rows, data, _given_vectors(data))
    before = [done[name] for name in node.inputs]
    if len(before) == 1:
        # The common case, without looking for what else there is to be merged with.
        handed_on = before[0].data
        rows = [r for r, d in enumerate(handed_on) if d is not None and r not in failed]
        data = [d for r in rows if (d := handed_on[r]) is not None]
        return Batch(source, rows, data, _handed_vectors(before, rows))
    for row, handed in enumerate(zip(*(b.data for b in before), strict=True)):
        parts = [d for d in handed if d is not None]
        if parts and row not in failed:
            rows.append(row)
            data.append(parts[0] if len(parts) == 1 else merge(parts))
    return Batch(source, rows, data, _handed_vectors(before, rows))


def _handed_vectors(before: Sequence[NodeResult], rows: Sequence[int]) -> Vectors | None:
    """The embeddings of the first predecessor that has one for each of the rows."""
    for b in before:
        if rows and len(b.vectors) >= len(rows) and all(r in b.vectors for r in rows):
            return np.stack([b.vectors[r] for r in rows])
    return None


def _given_vectors(data: Sequence[Data]) -> Vectors | None:
    """The embeddings that the inputs themselves carry; None unless each has one, all of the same length."""
    if not data or any(len(d.embeddings) != 1 for d in data):
        return None
    given = [np.array(d.embeddings[0].vector, dtype=np.float32) for d in data]
    return np.stack(given) if len({len(v) for v in given}) == 1 else None


def takes(node: Node, data: Data) -> bool:
    """Whether an input holds anything that the node can work on: a text is no matter for who looks at images."""
    wanted = _heads(node.type.inputs)
    return "any" in wanted or any(field.name in wanted for field, _ in data.ListFields())


@cache
def _heads(paths: tuple[str, ...]) -> frozenset[str]:
    """The fields of Data in which these paths begin."""
    return frozenset(path.partition("[")[0].partition(".")[0] for path in paths)


def merge(parts: Sequence[Data]) -> Data:
    """What several predecessors handed on, as one Data; of a concept that two of them name, the higher score."""
    if len(parts) == 1:
        return parts[0]
    out = Data()
    for part in parts:
        out.MergeFrom(part)
    if len({(c.app_id, c.id) for c in out.concepts}) < len(out.concepts):
        best: dict[tuple[str, str], Concept] = {}
        for concept in sorted(out.concepts, key=lambda c: -c.value):
            best.setdefault((concept.app_id, concept.id), concept)
        kept = list(best.values())
        del out.concepts[:]
        out.concepts.extend(kept)
    return out


def _run_node(node: Node, batch: Batch, failed: dict[int, LabelwrightError]) -> list[tuple[Batch, Output]]:
    try:
        return [(batch, _checked(node, batch))]
    except Exception as e:  # noqa: BLE001 (an operator of any origin may raise anything)
        if len(batch) == 1:
            failed[batch.rows[0]] = _reason(node, e)
            return []
    results = []
    for i in range(len(batch)):
        single = Batch(
            batch.source,
            [batch.rows[i]],
            [batch.data[i]],
            batch.vectors[i : i + 1] if batch.vectors is not None else None,
        )
        results.extend(_run_node(node, single, failed))
    return results


def _checked(node: Node, batch: Batch) -> Output:
    output = node.operator(batch)
    for what in (output.data, output.vectors, output.drafts):
        if what is not None and len(what) != len(batch):
            raise WorkflowNodeFailed(f"it made {len(what)} outputs of {len(batch)} inputs")
    return output


def _reason(node: Node, error: Exception) -> LabelwrightError:
    if isinstance(error, WorkflowNodeFailed):
        said = error.details
    elif isinstance(error, LabelwrightError):
        return error
    else:
        said = f"{type(error).__name__}: {error}"[:500]
    return WorkflowNodeFailed(f"node {node.id!r} ({node.model.model_id}) failed: {said}")


def _scatter(node: Node, outputs: list[tuple[Batch, Output]], result: NodeResult) -> None:
    floor = node.floor if node.type.predicts else 0.0
    for batch, output in outputs:
        for row, data in zip(batch.rows, output.data, strict=True):
            result.data[row] = _above_floor(data, floor) if data is not None and floor > 0 else data
        if output.vectors is not None:
            result.vectors.update(zip(batch.rows, output.vectors, strict=True))
        if output.drafts is not None:
            result.drafts.update((row, drafts) for row, drafts in zip(batch.rows, output.drafts, strict=True) if drafts)


def _above_floor(data: Data, floor: float) -> Data:
    """A prediction without the concepts that don't reach the floor; regions and frames left without any go too."""
    if _all_above(data, floor):
        return data
    out = Data()
    out.CopyFrom(data)
    _keep(out, floor)
    return out


def _all_above(data: Data, floor: float) -> bool:
    # Loops, not all(): this runs for every prediction, and a generator for each costs more than what it does.
    for c in data.concepts:
        # Said so that a score that is no number fails too.
        if not c.value >= floor:
            return False
    return all(_all_above(part.data, floor) for parts in (data.regions, data.frames) for part in parts)


def _keep(data: Data, floor: float) -> bool:
    """Take what is below the floor away; False where that was all that the data said."""
    said = _says_something(data)
    kept = [c for c in data.concepts if c.value >= floor]
    del data.concepts[:]
    data.concepts.extend(kept)
    regions = [r for r in data.regions if _keep(r.data, floor)]
    frames = [f for f in data.frames if _keep(f.data, floor)]
    del data.regions[:]
    del data.frames[:]
    data.regions.extend(regions)
    data.frames.extend(frames)
    return not said or _says_something(data)


def _says_something(data: Data) -> bool:
    return bool(data.concepts or data.regions or data.frames)

"""The way from a model to its two thresholders in the app's default workflow, and new versions along it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, ModelVersion, OutputInfo, WorkflowNode, WorkflowVersion
from clarifai_grpc.grpc.api.status import status_code_pb2
from google.protobuf.json_format import MessageToDict
from sqlalchemy import Connection, Row

from labelwright.annotator import plans
from labelwright.errors import InvalidRequest
from labelwright.operators import concept_threshold, registry
from labelwright.operators.concept_mappers import PREDICATES
from labelwright.operators.values import Batch, Operator, Source
from labelwright.store import models, workflows

MAPPERS = frozenset(f"concept-{predicate}-mapper" for predicate in PREDICATES)
"""The types of model that may stand between a model and its thresholders: they carry scores over as they are."""

_ABOVE, _BELOW = ("GREATER_THAN", "GREATER_THAN_OR_EQUAL"), ("LESS_THAN", "LESS_THAN_OR_EQUAL")


@dataclass(frozen=True, slots=True)
class Thresholder:
    """A node of type concept-threshold."""

    node_id: str
    version: Row[Any]
    """Of its model, joined with the model, as `models.versions_by_pk` has it."""
    thresholds: Mapping[str, float]
    """Concept id to threshold, the node's own settings laid over the version's."""


@dataclass(frozen=True, slots=True)
class Route:
    """A model's way through the app's default workflow to the two thresholders behind it."""

    workflow: Row[Any]
    version: Row[Any]
    nodes: Sequence[WorkflowNode]
    pins: Mapping[str, int]
    """Node id to the key of its model's version."""
    node_id: str
    """Where the model runs."""
    model_version: Row[Any]
    """The version of it that runs there."""
    mappers: Sequence[Operator]
    """What stands between, in order."""
    above: Thresholder
    """Who lets pass what is labelled."""
    below: Thresholder
    """Who lets pass what a person is asked."""

    def mapped(self, concept: Concept) -> list[str]:
        """The ids of the concepts that one of the model's becomes on its way."""
        data = Data(concepts=[concept])
        for operator in self.mappers:
            made = operator(Batch(Source([data]), [0], [data])).data[0]
            if made is None:
                return []
            data = made
        return [c.id for c in data.concepts]


def find(conn: Connection, app: Row[Any], *, model: int | None = None) -> Route | None:
    """The way of a model (its key); None where the app has no default workflow, or it does not run there.

    Args:
        model: None: of whichever model there is a pair of thresholders behind.

    Raises:
        InvalidRequest: there is no pair of thresholders behind it, or more than one, or something between them that
            changes scores in ways of its own; or more than one way leads to a thresholder.
    """
    workflow = workflows.by_pk(conn, app.default_workflow) if app.default_workflow else None
    version = workflows.version(conn, workflow.pk) if workflow is not None else None
    if workflow is None or version is None:
        return None
    nodes = list(WorkflowVersion.FromString(version.wire).nodes)
    pins = {row.node_id: row.model_version for row in workflows.nodes(conn, version.pk)}
    versions = models.versions_by_pk(conn, pins.values())
    if any(pins.get(node.id) not in versions for node in nodes):
        raise InvalidRequest(f"the default workflow {workflow.id!r} names a model version that has been deleted")
    graph = _Graph(conn, app, nodes, {node.id: versions[pins[node.id]] for node in nodes})
    starts = [n.id for n in nodes if graph.predicts(n.id) and model in (None, graph.versions[n.id].model)]
    if model is None:
        starts = [start for start in starts if graph.behind(start).thresholders]
    if not starts:
        return None
    if len(starts) > 1:
        raise InvalidRequest(
            f"the default workflow {workflow.id!r} runs more than one such model, in the nodes {_named(starts)}; "
            "say which model is meant, and let it run in one node alone"
        )
    behind = graph.behind(starts[0])
    above = [node_id for node_id in behind.thresholders if graph.compares(node_id) in _ABOVE]
    below = [node_id for node_id in behind.thresholders if graph.compares(node_id) in _BELOW]
    if len(above) != 1 or len(below) != 1:
        raise InvalidRequest(
            f"behind node {starts[0]!r} of workflow {workflow.id!r} stand {len(above)} thresholders that compare "
            f"GREATER_THAN and {len(below)} that compare LESS_THAN; a pair is legal, one of each"
        )
    for node_id in (above[0], below[0]):
        met = behind.met(node_id)
        if met:
            raise InvalidRequest(
                f"thresholder {node_id!r} of workflow {workflow.id!r} is reached from node {starts[0]!r} by more than "
                f"one way, which meet in node {met!r}; one way is legal: let {met!r} take one node's output"
            )
    mappers = behind.way(above[0])
    if mappers != behind.way(below[0]):
        raise InvalidRequest(
            f"the thresholders {above[0]!r} and {below[0]!r} see different concepts: "
            "let both take the same node's output"
        )
    return Route(
        workflow=workflow,
        version=version,
        nodes=nodes,
        pins=pins,
        node_id=starts[0],
        model_version=graph.versions[starts[0]],
        mappers=[graph.operator(node_id) for node_id in mappers],
        above=graph.thresholder(above[0]),
        below=graph.thresholder(below[0]),
    )


def stands(conn: Connection, app: Row[Any], way: Route) -> bool:
    """Whether a way that was found before is still there: the same version of the same workflow, and all that it runs.

    Cheap enough for a transaction that writes, as `find` is not.

    Args:
        app: as it is now.
    """
    if app.default_workflow != way.workflow.pk:
        return False
    newest = workflows.version(conn, way.workflow.pk)
    if newest is None or newest.pk != way.version.pk:
        return False
    pins = {row.node_id: row.model_version for row in workflows.nodes(conn, newest.pk)}
    return pins == way.pins and models.versions_by_pk(conn, pins.values()).keys() >= set(pins.values())


@dataclass(frozen=True, slots=True)
class _Behind:
    """What stands behind a node with nothing but mappers between."""

    start: str
    thresholders: Sequence[str]
    came: Mapping[str, str]
    """Node id to that of the node from which it was first reached."""
    twice: Set[str]
    """Nodes that were reached from another node too."""

    def way(self, node_id: str) -> list[str]:
        """The mappers by which a thresholder was first reached, in order."""
        found: list[str] = []
        while (node_id := self.came[node_id]) != self.start:
            found.append(node_id)
        return found[::-1]

    def met(self, node_id: str) -> str:
        """The first node at which several ways to a thresholder meet; "" where there is but one."""
        return next((i for i in (*self.way(node_id), node_id) if i in self.twice), "")


class _Graph:
    """The nodes of a workflow, asked what stands behind what."""

    def __init__(
        self, conn: Connection, app: Row[Any], nodes: Sequence[WorkflowNode], versions: Mapping[str, Row[Any]]
    ) -> None:
        self.versions = versions
        self._snap = plans.snapshot(conn, app)
        self._nodes = {node.id: node for node in nodes}
        self._following: dict[str, list[str]] = {}
        for node in nodes:
            for before in dict.fromkeys(i.node_id for i in node.node_inputs):
                self._following.setdefault(before, []).append(node.id)

    def predicts(self, node_id: str) -> bool:
        return registry.get(self.versions[node_id].model_type_id).predicts

    def info(self, node_id: str) -> OutputInfo:
        node = self._nodes[node_id]
        override = node.output_info_override if node.HasField("output_info_override") else None
        return plans.overridden(plans.output_info(self.versions[node_id].wire), override)

    def operator(self, node_id: str) -> Operator:
        return plans.operator_of(self.versions[node_id], self.info(node_id), self._snap)

    def compares(self, node_id: str) -> str:
        said = MessageToDict(self.info(node_id).params).get("concept_threshold_type")
        return said if isinstance(said, str) else concept_threshold.COMPARATORS[int(said or 1)][0]

    def thresholder(self, node_id: str) -> Thresholder:
        held = {c.id: c.value for c in self.info(node_id).data.concepts}
        return Thresholder(node_id, self.versions[node_id], held)

    def behind(self, start: str) -> _Behind:
        """The thresholders behind a node with nothing but mappers between.

        Each node is looked at once, however many ways lead to it: 17 mappers of which each reads all before it have
        2^16 of them.
        """
        found: list[str] = []
        came: dict[str, str] = {}
        twice: set[str] = set()
        looks = deque([start])
        while looks:
            node_id = looks.popleft()
            for following in self._following.get(node_id, ()):
                kind = self.versions[following].model_type_id
                if kind != concept_threshold.ID and kind not in MAPPERS:
                    continue
                if following in came:
                    twice.add(following)
                    continue
                came[following] = node_id
                if kind == concept_threshold.ID:
                    found.append(following)
                else:
                    looks.append(following)
        return _Behind(start, found, came, twice)


def _named(ids: Iterable[str]) -> str:
    return ", ".join(map(repr, ids))


# --- new versions ---------------------------------------------------------------------------------


def add_version(conn: Connection, thresholder: Thresholder, thresholds: Mapping[str, float]) -> int:
    """Add a version of a thresholder's model whose thresholds for these concepts are others; returns its key.

    What else it is set by stays, the thresholds of all other concepts too.
    """
    old = ModelVersion.FromString(thresholder.version.wire)
    made = ModelVersion(output_info=old.output_info)
    wanted = {**thresholder.thresholds, **thresholds}
    names = {c.id: c.name for c in old.output_info.data.concepts}
    del made.output_info.data.concepts[:]
    for concept_id, value in wanted.items():
        made.output_info.data.concepts.add(id=concept_id, name=names.get(concept_id, ""), value=value)
    return _add(conn, thresholder.version.model, made)


def add_copy(conn: Connection, version: Row[Any]) -> int:
    """Add a version of a model that is set as an older one of it was; returns its key."""
    return _add(conn, version.model, ModelVersion(output_info=ModelVersion.FromString(version.wire).output_info))


def _add(conn: Connection, model: int, version: ModelVersion) -> int:
    wire = version.SerializeToString(deterministic=True)
    return models.add_version(conn, model, status_code=status_code_pb2.MODEL_TRAINED, wire=wire)


def repinned(route: Route, pins: Mapping[str, Row[Any]]) -> tuple[bytes, list[tuple[str, int]]]:
    """The workflow's newest version with other model versions at some nodes, as `workflows.add_version` takes it.

    Thresholds that a thresholder's node has of its own go: they would lie over those of the version.
    """
    wire = WorkflowVersion()
    keys = dict(route.pins)
    for node in route.nodes:
        copy = wire.nodes.add()
        copy.CopyFrom(node)
        if node.id in pins:
            copy.model.model_version.id = pins[node.id].id
            keys[node.id] = pins[node.id].pk
        if node.id in (route.above.node_id, route.below.node_id) and copy.HasField("output_info_override"):
            copy.output_info_override.ClearField("data")
    return wire.SerializeToString(deterministic=True), [(node.id, keys[node.id]) for node in route.nodes]

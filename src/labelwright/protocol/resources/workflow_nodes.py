"""From the nodes that a client posts to nodes that can run: models found, versions pinned, the graph checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2
from sqlalchemy import Connection, Row

from labelwright.annotator import plans
from labelwright.annotator.artifacts import refuse_untrained
from labelwright.errors import (
    DoesNotExist,
    ModelDoesNotExist,
    ModelInvalidArgument,
    WorkflowInvalidArgument,
    WorkflowInvalidGraph,
)
from labelwright.ids import free_id_problem
from labelwright.models.catalogue import PUBLIC_APP, PUBLIC_USER
from labelwright.operators import registry
from labelwright.operators.registry import check_params
from labelwright.operators.values import Snapshot
from labelwright.protocol.dispatch import Call
from labelwright.protocol.resources import model_settings as settings
from labelwright.protocol.resources.model_wire import public_app
from labelwright.store import models, trainings
from labelwright.workflows import graph

Node = resources_pb2.WorkflowNode


@dataclass(frozen=True, slots=True)
class Resolved:
    """The nodes of one workflow, in an order in which they can run."""

    nodes: list[Node]
    """As clients see them: the model under the id it was posted with, where it was found, and which version."""
    pins: list[tuple[str, int]]
    """Node id and model version key."""


@dataclass(frozen=True, slots=True)
class _Found:
    model: Row[Any]
    app: Row[Any]


def resolve(
    conn: Connection, call: Call, app: Row[Any], wanted: Sequence[tuple[str, Sequence[Node]]]
) -> list[Resolved]:
    """Find, pin and check the nodes of several workflows, in a number of queries that doesn't grow with them.

    Args:
        app: where the workflows are.
        wanted: workflow id and nodes, as posted.

    Raises:
        ModelDoesNotExist: a node's model or version isn't there. This and all others name workflow and node.
        ModelInvalidArgument: a node's settings are not legal.
        WorkflowInvalidArgument: a node names no model.
        WorkflowInvalidGraph: see `graph.check`.
    """
    # Before the store is asked: it would be asked for each of them.
    most = call.server.settings.max_workflow_nodes
    for workflow_id, nodes in wanted:
        if len(nodes) > most:
            raise WorkflowInvalidGraph(
                f"workflow {workflow_id!r}: the workflow has {len(nodes)} nodes; {most} at most are legal"
            )
    every = [(f"workflow {workflow_id!r}: node {node.id!r}", node) for workflow_id, nodes in wanted for node in nodes]
    found = _find_models(conn, call, app, every)
    versions = _find_versions(conn, every, found)
    snap = plans.snapshot(conn, app)
    # What is not trained learned nothing yet; of the rest, who did is asked for all at once.
    learned = set(trainings.of_versions(conn, {v.pk for v in versions if registry.get(v.model_type_id).trainable}))
    learned |= {v.pk for v in versions if v.status_code != models.TRAINED}
    results, start = [], 0
    for workflow_id, nodes in wanted:
        end = start + len(nodes)
        with settings.about(f"workflow {workflow_id!r}"):
            results.append(_resolve_one(conn, call, app, snap, nodes, found[start:end], versions[start:end], learned))
        start = end
    return results


def _find_models(conn: Connection, call: Call, app: Row[Any], every: Sequence[tuple[str, Node]]) -> list[_Found]:
    """The model of each node: in the app that the node names, else in the workflow's; else in the public one."""
    public = public_app(conn)
    cache: dict[tuple[str, str], Row[Any] | None] = {}
    places: list[list[Row[Any]]] = []
    for what, node in every:
        if problem := node.id and free_id_problem(node.id):
            raise WorkflowInvalidArgument(f"{what}: node id: {problem}")
        if not node.model.id:
            raise WorkflowInvalidArgument(f"{what}: model.id is empty; say which model runs there")
        named = (node.model.user_id, node.model.app_id)
        if named not in cache:
            cache[named] = _named_app(conn, call, app, public, *named)
        place = cache[named]
        if place is None:
            raise ModelDoesNotExist(
                f"{what}: model {node.model.id!r} is said to be in app {node.model.app_id!r} of user "
                f"{node.model.user_id or call.user_id!r}, which this key can't see"
            )
        places.append([place] if public is None or place.pk == public.pk else [place, public])
    ids: dict[int, set[str]] = {}
    for (_, node), options in zip(every, places, strict=True):
        for place in options:
            ids.setdefault(place.pk, set()).add(node.model.id)
    rows = {pk: models.by_ids(conn, pk, wanted) for pk, wanted in ids.items()}
    found = []
    for (what, node), options in zip(every, places, strict=True):
        hit = next((p for p in options if node.model.id in rows[p.pk]), None)
        if hit is None:
            looked = " nor ".join(f"{p.user_id}/{p.id}" for p in options)
            raise ModelDoesNotExist(f"{what}: there is no model {node.model.id!r} in {looked}")
        found.append(_Found(rows[hit.pk][node.model.id], hit))
    return found


def _named_app(
    conn: Connection, call: Call, app: Row[Any], public: Row[Any] | None, user_id: str, app_id: str
) -> Row[Any] | None:
    if not app_id or (app_id == app.id and user_id in ("", app.user_id)):
        return app
    if app_id == PUBLIC_APP and user_id in ("", PUBLIC_USER):
        # "main" alone means the public app, as it does for concepts and default workflows.
        return public
    try:
        return call.app(conn, resources_pb2.UserAppIDSet(user_id=user_id, app_id=app_id))
    except DoesNotExist:
        return None


def _find_versions(conn: Connection, every: Sequence[tuple[str, Node]], found: Sequence[_Found]) -> list[Row[Any]]:
    """The version of each node, joined with its model: the one named, else the newest now."""
    named = models.versions_named(
        conn,
        [
            (hit.model.pk, node.model.model_version.id)
            for (_, node), hit in zip(every, found, strict=True)
            if node.model.model_version.id
        ],
    )
    newest = models.newest_usable(conn, {hit.model.pk for hit in found})
    keys = []
    for (what, node), hit in zip(every, found, strict=True):
        version_id = node.model.model_version.id
        row = named.get((hit.model.pk, version_id)) if version_id else newest.get(hit.model.pk)
        if row is None:
            latest = newest.get(hit.model.pk)
            there = f"its newest is {latest.id!r}" if latest else "it has none yet; PostModelVersions adds one"
            asked = f"no version {version_id!r}" if version_id else "no version"
            raise ModelDoesNotExist(
                f"{what}: model {node.model.id!r} in {hit.app.user_id}/{hit.app.id} has {asked}; {there}"
            )
        keys.append(row.pk)
    joined = models.versions_by_pk(conn, set(keys))
    return [joined[key] for key in keys]


def _resolve_one(
    conn: Connection,
    call: Call,
    app: Row[Any],
    snap: Snapshot,
    nodes: Sequence[Node],
    found: Sequence[_Found],
    versions: Sequence[Row[Any]],
    learned: Collection[int],
) -> Resolved:
    order = graph.check(
        [
            graph.GraphNode(n.id, registry.get(v.model_type_id), tuple(i.node_id for i in n.node_inputs))
            for n, v in zip(nodes, versions, strict=True)
        ],
        max_nodes=call.server.settings.max_workflow_nodes,
    )
    made: dict[str, tuple[Node, int]] = {}
    for node, hit, version in zip(nodes, found, versions, strict=True):
        with settings.about(f"node {node.id!r}"):
            _check_settings(conn, app, snap, node, version, learns=version.pk in learned)
        made[node.id] = (_echo(node, hit, version), version.pk)
    return Resolved([made[i][0] for i in order], [(i, made[i][1]) for i in order])


def _check_settings(
    conn: Connection, app: Row[Any], snap: Snapshot, node: Node, version: Row[Any], *, learns: bool
) -> None:
    """Build the node as a run would, its own settings laid over the version's."""
    override = node.output_info_override if node.HasField("output_info_override") else None
    model_type = registry.get(version.model_type_id)
    if override is not None:
        settings.check_config(override.output_config)
        if model_type.make is None:
            check_params(model_type, settings.plain(override.params))
    info = plans.overridden(plans.output_info(version.wire), override)
    # Of another app's model too: its relations and graphs are those of the app that it works for.
    settings.check_graph(conn, app, settings.plain(info.params))
    if not learns:
        plans.node_of(version, snap, id=node.id, override=override)
        return
    # What it learned need not be read to know that it can run.
    refuse_untrained(version)
    if override is not None and override.data.concepts:
        raise ModelInvalidArgument(
            "output_info_override.data.concepts: what a trained version says is fixed; put a concept-threshold behind "
            "it, or train a version for these concepts"
        )


def _echo(node: Node, hit: _Found, version: Row[Any]) -> Node:
    """The node as it is kept and shown."""
    echo = Node(id=node.id, node_inputs=node.node_inputs, suppress_output=node.suppress_output)
    echo.model.id, echo.model.user_id, echo.model.app_id = node.model.id, hit.app.user_id, hit.app.id
    echo.model.model_type_id = hit.model.model_type_id
    echo.model.model_version.id = version.id
    if node.HasField("output_info_override"):
        echo.output_info_override.CopyFrom(settings.only_settings(node.output_info_override))
    return echo


def refresh(nodes: Sequence[Node], pins: Mapping[str, int], versions: Mapping[int, Row[Any]]) -> list[Node]:
    """Stored nodes with their models' ids as they are now; those whose version is gone stay as they were.

    Args:
        pins: node id to model version key.
        versions: version key to the version joined with its model.
    """
    fresh = []
    for node in nodes:
        copy = Node()
        copy.CopyFrom(node)
        version = versions.get(pins.get(node.id, 0))
        if version is not None:
            if copy.model.id not in (version.model_id, version.model_alias):
                copy.model.id = version.model_id
            copy.model.user_id, copy.model.app_id = version.user_id, version.app_id
        fresh.append(copy)
    return fresh

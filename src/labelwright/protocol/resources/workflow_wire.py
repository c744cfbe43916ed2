"""Workflows and their versions as clients see them, and as the store keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2
from sqlalchemy import Connection, Row

from labelwright.errors import DoesNotExist
from labelwright.models.catalogue import PUBLIC_APP, PUBLIC_USER
from labelwright.protocol.dispatch import Call
from labelwright.protocol.resources.model_wire import public_app
from labelwright.protocol.resources.workflow_nodes import refresh
from labelwright.protocol.wire import parse, set_time, without
from labelwright.store import apps, models, workflows

COMPUTED = (
    "id",
    "app_id",
    "user_id",
    "created_at",
    "modified_at",
    "nodes",
    "version",
    "is_starred",
    "star_count",
    "bookmark_origin",
)
"""Fields of a workflow that are columns, lie with the version, or are nobody's to set."""

VERSION_COMPUTED = (
    "id",
    "workflow_id",
    "app_id",
    "user_id",
    "created_at",
    "modified_at",
    "is_deprecated",
)
"""The same for a version."""


def versions_to_wire(
    conn: Connection, rows: Iterable[Row[Any]], owners: Mapping[int, Row[Any]], app: Row[Any]
) -> dict[int, resources_pb2.WorkflowVersion]:
    """Version key to version as clients see it.

    Args:
        owners: workflow key to workflow.
        app: where they are.
    """
    versions = list(rows)
    pinned = workflows.nodes_of(conn, [v.pk for v in versions])
    there = models.versions_by_pk(conn, {n.model_version for nodes in pinned.values() for n in nodes})
    made = {}
    for version in versions:
        pins = {n.node_id: n.model_version for n in pinned.get(version.pk, ())}
        wire = parse(resources_pb2.WorkflowVersion, version.wire)
        nodes = refresh(wire.nodes, pins, there)
        del wire.nodes[:]
        wire.nodes.extend(nodes)
        wire.id, wire.workflow_id = version.id, owners[version.workflow].id
        wire.app_id, wire.user_id = app.id, app.user_id
        wire.is_deprecated = any(key not in there for key in pins.values())
        wire.visibility.gettable = wire.visibility.gettable or resources_pb2.Visibility.PRIVATE
        set_time(wire.created_at, version.created_at)
        set_time(wire.modified_at, version.modified_at)
        made[version.pk] = wire
    return made


def to_wire(conn: Connection, rows: Iterable[Row[Any]], app: Row[Any]) -> list[resources_pb2.Workflow]:
    """Workflows as clients see them, each with its newest version."""
    given = list(rows)
    newest = workflows.newest_versions(conn, [w.pk for w in given])
    versions = versions_to_wire(conn, newest.values(), {w.pk: w for w in given}, app)
    made = []
    for row in given:
        wire = parse(resources_pb2.Workflow, row.wire)
        wire.id, wire.app_id, wire.user_id = row.id, app.id, app.user_id
        wire.visibility.gettable = wire.visibility.gettable or resources_pb2.Visibility.PRIVATE
        set_time(wire.created_at, row.created_at)
        set_time(wire.modified_at, row.modified_at)
        if row.pk in newest:
            wire.version.CopyFrom(versions[newest[row.pk].pk])
            wire.nodes.extend(wire.version.nodes)
        made.append(wire)
    return made


def workflow_bytes(workflow: resources_pb2.Workflow) -> bytes:
    """What the store keeps of a workflow beside its columns."""
    return without(workflow, *COMPUTED)


def version_bytes(version: resources_pb2.WorkflowVersion, nodes: Iterable[resources_pb2.WorkflowNode]) -> bytes:
    """What the store keeps of a version beside its columns."""
    kept = resources_pb2.WorkflowVersion()
    kept.CopyFrom(version)
    del kept.nodes[:]
    kept.nodes.extend(nodes)
    return without(kept, *VERSION_COMPUTED)


def find(
    conn: Connection, call: Call, user_app_id: Any, workflow_id: str, *, public_first: bool = False
) -> tuple[Row[Any], Row[Any]]:
    """A workflow for reading, and its app: in the app named or else in the public one. "" is the app's default.

    Args:
        public_first: a public workflow of that id comes before the app's own.

    Raises:
        InvalidRequest, DoesNotExist: no app is named, the key can't see it, or neither app has the workflow.
    """
    app = call.app(conn, user_app_id)
    if not workflow_id:
        return _default(conn, app)
    public = public_app(conn)
    places = [app] if public is None or public.pk == app.pk else [app, public]
    for place in reversed(places) if public_first else places:
        if (row := workflows.get(conn, place.pk, workflow_id)) is not None:
            return place, row
    raise DoesNotExist(f"neither app {app.id!r} nor {PUBLIC_USER}/{PUBLIC_APP} has a workflow {workflow_id!r}")


def _default(conn: Connection, app: Row[Any]) -> tuple[Row[Any], Row[Any]]:
    row = workflows.by_pk(conn, app.default_workflow) if app.default_workflow else None
    home = apps.by_pk(conn, row.app) if row is not None else None
    if row is None or home is None:
        raise DoesNotExist(f"app {app.id!r} has no default workflow, and no workflow_id is given")
    return home, row


def own(conn: Connection, app: Row[Any], ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Id to workflow of an app, for changing.

    Raises:
        DoesNotExist: one isn't there.
    """
    rows = workflows.by_ids(conn, app.pk, ids)
    if missing := [i for i in ids if i not in rows]:
        raise DoesNotExist(f"app {app.id!r} has no workflow {', '.join(map(repr, missing))}")
    return rows

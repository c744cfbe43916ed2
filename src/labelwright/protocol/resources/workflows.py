"""Workflows. Their nodes lie with their versions: see `workflow_nodes`; for listings `workflow_listing`."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_pb2
from sqlalchemy import Connection, Row

from labelwright.errors import InvalidRequest, WorkflowDuplicate, WorkflowInvalidArgument
from labelwright.ids import resource_id_problem
from labelwright.protocol import patches
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.merging import check_action
from labelwright.protocol.resources import model_settings as settings
from labelwright.protocol.resources.workflow_nodes import Resolved, resolve
from labelwright.protocol.resources.workflow_wire import COMPUTED, find, own, to_wire, version_bytes, workflow_bytes
from labelwright.protocol.wire import SUCCESS, parse, status
from labelwright.store import workflows

MAX_WORKFLOWS = 128
MAX_NOTES = 64 * 1024
"""Bytes of a workflow's notes, the API's own limit."""

Node = resources_pb2.WorkflowNode


@serves("PostWorkflows")
def post_workflows(call: Call, request: service_pb2.PostWorkflowsRequest) -> service_pb2.MultiWorkflowResponse:
    """Add workflows: all of them or, where one can't be added, none."""
    given = list(request.workflows)
    ids = [w.id for w in given]
    _check_count(ids)
    for workflow in given:
        if problem := resource_id_problem(workflow.id):
            raise WorkflowInvalidArgument(f"workflow id: {problem}")
        with settings.about(f"workflow {workflow.id!r}"):
            _check_texts(workflow)
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        if twice := sorted({i for i in ids if ids.count(i) > 1} | set(workflows.by_ids(conn, app.pk, ids))):
            raise WorkflowDuplicate(f"duplicate workflow id: {', '.join(twice)}; PatchWorkflows changes one")
        resolved = resolve(conn, call, app, [(w.id, w.nodes or w.version.nodes) for w in given])
        for workflow, nodes in zip(given, resolved, strict=True):
            workflows.add(
                conn,
                app.pk,
                id=workflow.id,
                wire=workflow_bytes(workflow),
                version_wire=version_bytes(workflow.version, nodes.nodes),
                nodes=nodes.pins,
            )
        rows = workflows.by_ids(conn, app.pk, ids)
        made = to_wire(conn, [rows[i] for i in ids], app)
    return service_pb2.MultiWorkflowResponse(workflows=made)


def _check_count(ids: list[str]) -> None:
    if not 1 <= len(ids) <= MAX_WORKFLOWS:
        raise WorkflowInvalidArgument(f"{len(ids)} workflows given; 1 to {MAX_WORKFLOWS} a call are legal")


def _check_texts(workflow: resources_pb2.Workflow) -> None:
    size = len(workflow.notes.encode())
    if size > MAX_NOTES:
        raise WorkflowInvalidArgument(f"notes have {size} bytes; {MAX_NOTES} at most are legal")
    settings.check_json(workflow)


@serves("GetWorkflow")
def get_workflow(call: Call, request: service_pb2.GetWorkflowRequest) -> service_pb2.SingleWorkflowResponse:
    """One workflow with its newest version; without an id, the app's default."""
    with call.store.read() as conn:
        app, row = find(conn, call, request.user_app_id, request.workflow_id)
        made = to_wire(conn, [row], app)[0]
    return service_pb2.SingleWorkflowResponse(workflow=made)


@serves("PatchWorkflows")
def patch_workflows(call: Call, request: service_pb2.PatchWorkflowsRequest) -> service_pb2.MultiWorkflowResponse:
    """Change workflows: all of them or, where one can't be changed, none. Changed nodes make a new version."""
    check_action(request.action)
    ids = [w.id for w in request.workflows]
    _check_count(ids)
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise WorkflowInvalidArgument(f"workflow {', '.join(map(repr, twice))} is given twice; say each once")
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        rows = own(conn, app, ids)
        before = {w.id: w for w in to_wire(conn, [rows[i] for i in ids], app)}
        wanted = {w.id: _changed_nodes(w, before[w.id], request.action) for w in request.workflows}
        again = [(i, nodes) for i, nodes in wanted.items() if nodes is not None]
        resolved = dict(zip([i for i, _ in again], resolve(conn, call, app, again), strict=True)) if again else {}
        for change in request.workflows:
            with settings.about(f"workflow {change.id!r}"):
                _patch(conn, rows[change.id], change, request.action, resolved.get(change.id), before[change.id])
        rows = workflows.by_ids(conn, app.pk, ids)
        made = to_wire(conn, [rows[i] for i in ids], app)
    return service_pb2.MultiWorkflowResponse(workflows=made)


def _changed_nodes(change: resources_pb2.Workflow, before: resources_pb2.Workflow, action: str) -> list[Node] | None:
    """The nodes after the change, yet to be resolved; None where nothing is said of them.

    A client may change the nodes at either place of what it was given, and send both back.
    """
    current = list(before.nodes)
    said = [list(place) for place in (change.nodes, change.version.nodes) if place]
    given = next((nodes for nodes in said if action == "remove" or nodes != current), None)
    if given is None:
        return None
    if action == "overwrite":
        return given
    if action == "remove":
        gone = {n.id for n in given}
        return [n for n in current if n.id not in gone]
    merged = {n.id: n for n in current}
    for node in given:
        merged[node.id] = _merged_node(merged[node.id], node) if node.id in merged else node
    return list(merged.values())


def _merged_node(node: Node, change: Node) -> Node:
    """A node with the fields that the change sets; a model that is named replaces the one there."""
    merged = Node()
    merged.CopyFrom(node)
    if change.model.id:
        merged.model.CopyFrom(change.model)
    elif change.model.model_version.id:
        merged.model.model_version.id = change.model.model_version.id
    if change.node_inputs:
        del merged.node_inputs[:]
        merged.node_inputs.extend(change.node_inputs)
    if change.suppress_output:
        merged.suppress_output = True
    if change.HasField("output_info_override"):
        merged.output_info_override.CopyFrom(change.output_info_override)
    return merged


def _patch(
    conn: Connection,
    row: Row[Any],
    change: resources_pb2.Workflow,
    action: str,
    resolved: Resolved | None,
    before: resources_pb2.Workflow,
) -> None:
    workflow = parse(resources_pb2.Workflow, row.wire)
    patches.apply(workflow, change, action, apart=COMPUTED)
    _check_texts(workflow)
    if (wire := workflow_bytes(workflow)) != row.wire:
        workflows.change(conn, row.pk, wire=wire)
    if resolved is not None and resolved.nodes != list(before.nodes):
        # What is said about the version that was is not said about this one.
        version = version_bytes(resources_pb2.WorkflowVersion(), resolved.nodes)
        workflows.add_version(conn, row.pk, wire=version, nodes=resolved.pins)


@serves("PatchWorkflowIds")
def patch_workflow_ids(call: Call, request: service_pb2.PatchWorkflowIdsRequest) -> service_pb2.MultiWorkflowResponse:
    """Rename workflows; apps whose default one is keep it."""
    if request.action != "overwrite":
        raise InvalidRequest(f"action is {request.action!r}; 'overwrite' is legal")
    ids, new = [i.id for i in request.ids], [i.new_id for i in request.ids]
    _check_count(ids)
    for value in new:
        if problem := resource_id_problem(value):
            raise WorkflowInvalidArgument(f"new workflow id: {problem}")
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        rows = own(conn, app, ids)
        if twice := sorted({i for i in new if new.count(i) > 1} | set(workflows.by_ids(conn, app.pk, new))):
            raise WorkflowDuplicate(f"duplicate workflow id: {', '.join(twice)}")
        for old, value in zip(ids, new, strict=True):
            workflows.change(conn, rows[old].pk, id=value)
        changed = workflows.by_ids(conn, app.pk, new)
        made = to_wire(conn, [changed[i] for i in new], app)
    return service_pb2.MultiWorkflowResponse(workflows=made)


@serves("DeleteWorkflow")
def delete_workflow(call: Call, request: service_pb2.DeleteWorkflowRequest) -> status_pb2.BaseResponse:
    """Delete a workflow with its versions; apps whose default it was are left without one."""
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        rows = own(conn, app, [request.workflow_id])
        workflows.remove(conn, [row.pk for row in rows.values()])
    return status_pb2.BaseResponse(status=status(SUCCESS))


@serves("DeleteWorkflows")
def delete_workflows(call: Call, request: service_pb2.DeleteWorkflowsRequest) -> status_pb2.BaseResponse:
    """Delete several workflows, or all of an app's: all that are named or, where one is missing, none."""
    ids = list(dict.fromkeys(request.ids))
    if bool(ids) == request.delete_all:
        raise WorkflowInvalidArgument("give either ids or delete_all")
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        if request.delete_all:
            keys = workflows.all_keys(conn, app.pk)
        else:
            _check_count(ids)
            keys = [row.pk for row in own(conn, app, ids).values()]
        workflows.remove(conn, keys)
    return status_pb2.BaseResponse(status=status(SUCCESS))

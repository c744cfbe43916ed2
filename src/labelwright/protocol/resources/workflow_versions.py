"""The versions of workflows. The newest is the one that runs: deleting it goes back to the one before."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_pb2
from sqlalchemy import Connection, Row

from labelwright.errors import DoesNotExist, WorkflowInvalidArgument
from labelwright.protocol import patches
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.merging import check_action
from labelwright.protocol.resources import model_settings as settings
from labelwright.protocol.resources.workflow_wire import VERSION_COMPUTED, find, own, version_bytes, versions_to_wire
from labelwright.protocol.wire import SUCCESS, offset_limit, parse, status
from labelwright.store import workflows

MAX_VERSIONS = 128


@serves("ListWorkflowVersions")
def list_workflow_versions(
    call: Call, request: service_pb2.ListWorkflowVersionsRequest
) -> service_pb2.MultiWorkflowVersionResponse:
    """A workflow's versions, newest first."""
    offset, limit = offset_limit(request)
    with call.store.read() as conn:
        app, row = find(conn, call, request.user_app_id, request.workflow_id)
        rows = workflows.version_page(conn, row.pk, offset=offset, limit=limit)
        made = versions_to_wire(conn, rows, {row.pk: row}, app)
    return service_pb2.MultiWorkflowVersionResponse(workflow_versions=[made[r.pk] for r in rows])


@serves("GetWorkflowVersion")
def get_workflow_version(
    call: Call, request: service_pb2.GetWorkflowVersionRequest
) -> service_pb2.SingleWorkflowVersionResponse:
    """One version."""
    with call.store.read() as conn:
        app, row = find(conn, call, request.user_app_id, request.workflow_id)
        version = _versions(conn, row, [request.workflow_version_id])[request.workflow_version_id]
        made = versions_to_wire(conn, [version], {row.pk: row}, app)
    return service_pb2.SingleWorkflowVersionResponse(workflow_version=made[version.pk])


def _versions(conn: Connection, workflow: Row[Any], ids: list[str]) -> dict[str, Row[Any]]:
    rows = workflows.versions_by_id(conn, workflow.pk, ids)
    if missing := [i for i in ids if i not in rows]:
        newest = workflows.version(conn, workflow.pk)
        raise DoesNotExist(
            f"workflow {workflow.id!r} has no version {', '.join(map(repr, missing))}; "
            f"its newest is {newest.id if newest else None!r}"
        )
    return rows


@serves("PatchWorkflowVersions")
def patch_workflow_versions(
    call: Call, request: service_pb2.PatchWorkflowVersionsRequest
) -> service_pb2.MultiWorkflowVersionResponse:
    """Change what is said about versions. Their nodes are fixed: PatchWorkflows makes a new version."""
    check_action(request.action)
    ids = [v.id for v in request.workflow_versions]
    _check_count(ids)
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        row = own(conn, app, [request.workflow_id])[request.workflow_id]
        rows = _versions(conn, row, ids)
        shown = versions_to_wire(conn, rows.values(), {row.pk: row}, app)
        for change in request.workflow_versions:
            version = rows[change.id]
            if change.nodes and list(change.nodes) != list(shown[version.pk].nodes):
                raise WorkflowInvalidArgument(
                    f"the nodes of version {change.id!r} are fixed; PatchWorkflows makes a new version"
                )
            after = parse(resources_pb2.WorkflowVersion, version.wire)
            patches.apply(after, change, request.action, apart=(*VERSION_COMPUTED, "nodes"))
            settings.check_json(after)
            workflows.change_version(conn, version.pk, wire=version_bytes(after, list(after.nodes)))
        rows = _versions(conn, row, ids)
        made = versions_to_wire(conn, rows.values(), {row.pk: row}, app)
    return service_pb2.MultiWorkflowVersionResponse(workflow_versions=[made[rows[i].pk] for i in ids])


def _check_count(ids: list[str]) -> None:
    if not 1 <= len(set(ids)) == len(ids) <= MAX_VERSIONS:
        raise WorkflowInvalidArgument(f"{len(ids)} versions given; 1 to {MAX_VERSIONS} different ones are legal")


@serves("DeleteWorkflowVersions")
def delete_workflow_versions(call: Call, request: service_pb2.DeleteWorkflowVersionsRequest) -> status_pb2.BaseResponse:
    """Delete versions of a workflow: all that are named or, where one is missing, none. One has to stay."""
    ids = list(request.workflow_version_ids)
    _check_count(ids)
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        row = own(conn, app, [request.workflow_id])[request.workflow_id]
        rows = _versions(conn, row, ids)
        if len(rows) == workflows.count_versions(conn, row.pk):
            raise WorkflowInvalidArgument(
                f"these are all versions of workflow {row.id!r}, and it needs one; DeleteWorkflow deletes it whole"
            )
        for version in rows.values():
            workflows.remove_version(conn, version.pk)
    return status_pb2.BaseResponse(status=status(SUCCESS))

"""Who and what has annotated: the users, models and workflows behind an app's annotations."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import User, Worker
from sqlalchemy import Connection

from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.wire import offset_limit, parse
from labelwright.store import annotation_workers, collaborators

NAMES = ("first_name", "last_name")
"""What the additional field "names" shows of a user."""


@serves("ListAnnotationWorkers")
def list_annotation_workers(
    call: Call, request: service_pb2.ListAnnotationWorkersRequest
) -> service_pb2.MultiWorkerResponse:
    """The users, then the model versions, then the workflow versions that annotated, each in the order of their ids."""
    offset, limit = offset_limit(request)
    names = not {"names", "all"}.isdisjoint(request.additional_fields)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        found = annotation_workers.authors(conn, app.pk, trusted_only=request.trusted_only)
        kinds = [sorted({row[kind] for row in found} - {""}) for kind in range(3)]
        page = [(kind, id_) for kind, ids in enumerate(kinds) for id_ in ids][offset : offset + limit]
        # An app's owner may write in anybody's name: only of who has a part in the app more than that is shown.
        people = collaborators.people(conn, app.pk) | {app.user_id}
        users, models, workflows = ([id_ for k, id_ in page if k == kind] for kind in range(3))
        workers = [
            *_users(conn, users, people if names else frozenset()),
            *_models(conn, models),
            *_workflows(conn, workflows),
        ]
    return service_pb2.MultiWorkerResponse(workers=workers)


def _users(conn: Connection, ids: list[str], named: Collection[str]) -> Iterable[Worker]:
    known = annotation_workers.users(conn, [i for i in ids if i in named])
    for id_ in ids:
        worker = Worker(user=User(id=id_))
        kept = parse(User, known.get(id_, b""))
        for name in NAMES:
            setattr(worker.user, name, getattr(kept, name))
        yield worker


def _models(conn: Connection, ids: list[str]) -> Iterable[Worker]:
    known = annotation_workers.models(conn, ids) if ids else {}
    for id_ in ids:
        worker = Worker()
        worker.model.model_version.id = id_
        if (row := known.get(id_)) is not None:
            worker.model.id, worker.model.name = row.id, row.name
            worker.model.app_id, worker.model.user_id = row.app_id, row.user_id
        yield worker


def _workflows(conn: Connection, ids: list[str]) -> Iterable[Worker]:
    known = annotation_workers.workflows(conn, ids) if ids else {}
    for id_ in ids:
        worker = Worker()
        worker.workflow.version.id = id_
        if (row := known.get(id_)) is not None:
            worker.workflow.id, worker.workflow.app_id, worker.workflow.user_id = row.id, row.app_id, row.user_id
        yield worker

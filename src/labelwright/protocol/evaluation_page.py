"""A model's evaluations for the page that shows them: its versions, what was measured, and the newest result."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import UserAppIDSet
from sqlalchemy import Connection, Row

from labelwright.errors import DoesNotExist, InvalidRequest
from labelwright.protocol import asked
from labelwright.protocol.dispatch import Call
from labelwright.protocol.hosted import Hosting
from labelwright.protocol.resources.evaluation_messages import status_of
from labelwright.protocol.resources.evaluations import progress_of
from labelwright.protocol.resources.input_messages import to_wire
from labelwright.protocol.resources.model_wire import find, find_version
from labelwright.protocol.rest.printing import show_message
from labelwright.store import evaluations, inputs, models

VERSIONS, EVALUATIONS = 100, 100
"""As many are offered, the newest ones."""

LEFT_OUT = ("examples",)
"""What only the API shows of a result: the page has the mistakes."""


def evaluation(call: Call, where: UserAppIDSet, given: Mapping[str, Any]) -> dict[str, Any]:
    """One evaluation of a model in an app, and what others there are.

    Args:
        given: ``model``, its id; ``version``, the id of one of its versions (else the one that was evaluated last, or
            the newest); ``evaluation``, the id of one of the version's (else the newest).

    Returns:
        model: id, name, model_type_id; version: the id of the one shown, "" where there is none; versions: id,
        created_at, newest first; evaluations: those of the version, id, created_at, status, newest first; evaluation:
        the one shown, with ``result`` as `labelwright.training.evaluation_record.record` has it (None until it is
        done), or None; inputs: those of its mistakes by id, as the API prints them.

    Raises:
        InvalidRequest: a parameter is unknown or not legal.
        ModelDoesNotExist: there is no such model or version.
        DoesNotExist: there is no such evaluation; or as `Call.app`.
    """
    asked.only(given, "model", "version", "evaluation")
    model_id = asked.text(given, "model", longest=256)
    version_id = asked.text(given, "version", longest=256)
    evaluation_id = asked.text(given, "evaluation", longest=256)
    if not model_id:
        raise InvalidRequest("model is missing: say the id of the model whose evaluations are meant")
    hosting = Hosting(call)
    with call.store.read() as conn:
        app = call.app(conn, where)
        _, model = find(conn, call, where, model_id)
        version = _version(conn, app, model, version_id)
        versions = [version.pk] if version is not None else []
        mine = evaluations.listing(conn, [app.pk], versions=versions, limit=EVALUATIONS)
        shown = _chosen(conn, app, version, evaluation_id)
        result = _result(shown)
        wanted = [mistake["input"] for mistake in result["mistakes"]] if result else []
        rows = inputs.by_ids(conn, app.pk, wanted)
        return {
            "model": {"id": model.id, "name": model.name, "model_type_id": model.model_type_id},
            "version": version.id if version is not None else "",
            "versions": [
                {"id": row.id, "created_at": _iso(row.created_at)}
                for row in models.version_page(conn, model.pk, offset=0, limit=VERSIONS)
            ],
            "evaluations": [_listed(conn, row) for row in mine],
            "evaluation": None if shown is None else {**_listed(conn, shown), "result": result},
            "inputs": {i: show_message(to_wire(row, None, hosting)) for i, row in rows.items()},
        }


def _version(conn: Connection, app: Row[Any], model: Row[Any], named: str) -> Row[Any] | None:
    if named:
        return find_version(conn, model, named)
    last = evaluations.newest_of_model(conn, app.pk, model.pk)
    if last is not None:
        return models.versions_of(conn, [last.model_version]).get(last.model_version)
    return models.version(conn, model.pk)


def _chosen(conn: Connection, app: Row[Any], version: Row[Any] | None, named: str) -> Row[Any] | None:
    """The one to show, whole."""
    if not named:
        return evaluations.newest(conn, app.pk, version.pk) if version is not None else None
    found = evaluations.get(conn, app.pk, named)
    if found is None or version is None or found.model_version != version.pk:
        raise DoesNotExist(f"there is no evaluation {named!r} of this version")
    return found


def _result(row: Row[Any] | None) -> dict[str, Any] | None:
    if row is None or row.result is None:
        return None
    kept = {name: value for name, value in row.result.items() if name not in LEFT_OUT}
    # The grid is for clients of the API; the page draws the curves.
    kept["concepts"] = [{name: value for name, value in c.items() if name != "grid"} for c in kept["concepts"]]
    return kept


def _listed(conn: Connection, row: Row[Any]) -> dict[str, Any]:
    said = status_of(row, progress_of(conn, row))
    return {
        "id": row.id,
        "created_at": _iso(row.created_at),
        "status": {
            "code": int(said.code),
            "description": said.description,
            "details": said.details,
            "percent": said.percent_completed,
        },
    }


def _iso(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

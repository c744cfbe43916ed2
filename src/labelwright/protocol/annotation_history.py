"""Who changed which annotation when, and what it was before."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import UserAppIDSet
from sqlalchemy import Row

from labelwright.protocol import given as g
from labelwright.protocol.dispatch import Call
from labelwright.protocol.review_messages import Shown, show_time
from labelwright.store import concepts
from labelwright.store import history as stored

MAX_ENTRIES = 200
DEFAULT_ENTRIES = 50


def history(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """The app's changes, the last one first; of one ``input``, ``annotation`` or ``user`` where given.

    ``before`` is the ``next`` of the page before; ``n`` is 1 to 200, 50 where it is not given.

    Raises:
        InvalidRequest: something given is not legal.
        LabelwrightError: as `Call.app`.
    """
    n = g.whole(given, "n", 1, MAX_ENTRIES) or DEFAULT_ENTRIES
    with call.store.read() as conn:
        app = call.app(conn, where)
        rows = stored.page(
            conn,
            app.pk,
            input_id=g.text(given, "input"),
            annotation_id=g.text(given, "annotation"),
            user_id=call.user_id if given.get("user") == "me" else g.text(given, "user"),
            before=g.whole(given, "before", 0, 2**53),
            limit=n + 1,
        )
        more, rows = len(rows) > n, rows[:n]
        ids = {i for row in rows for i in (row.concept_id, *(c[3] for c in (row.before or {}).get("concepts", ())))}
        names = {id_: row.name for id_, row in concepts.by_ids(conn, app.pk, ids - {""}).items()}
    return {"entries": [_show(row, names) for row in rows], "next": rows[-1].pk if more else None}


def _show(row: Row[Any], names: dict[str, str]) -> Shown:
    result = row.result or {}
    return {
        "pk": row.pk,
        "action": row.action,
        "kind": row.kind,
        "item": row.item,
        "user_id": row.user_id,
        "at": show_time(row.created_at),
        "input_id": row.input_id,
        "annotation_id": result.get("annotation", row.annotation_id),
        "concept": _concept(row.concept_id, names) if row.concept_id else None,
        "before": _before(row, names),
        "undone_at": None if row.undone_at is None else show_time(row.undone_at),
        "undone_by": row.undone_by,
    }


def _concept(id_: str, names: dict[str, str]) -> Shown:
    # One that was deleted since has its id alone.
    return {"id": id_, "name": names.get(id_, id_)}


def _before(row: Row[Any], names: dict[str, str]) -> Shown | None:
    if row.before is None:
        return None
    held = [
        {**_concept(id_, names), "value": value, "score": score, "position": position}
        for position, _slot, _pk, id_, value, score in row.before["concepts"]
    ]
    about = next((c for c in held if row.item == f"{row.annotation_id}.{c['position']}"), None)
    return {
        "status": row.before["status_code"],
        "user_id": row.before["user_id"],
        "value": about["value"] if about else None,
        "score": about["score"] if about else None,
        "concepts": held,
    }

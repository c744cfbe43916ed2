"""What people made of annotations: who, when, and what these were before."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, func, or_, select, update

from labelwright.store import tables as t
from labelwright.store.engine import insert_many, now
from labelwright.store.prepared import Prepared
from labelwright.store.snapshots import Snapshot

ACCEPT, REJECT, RELABEL, FLAG = "accept", "reject", "relabel", "flag"
VERDICTS = (ACCEPT, REJECT, RELABEL, FLAG)
PATCH, DELETE = "patch", "delete"


class Entry(NamedTuple):
    """What is to be remembered."""

    input: int
    """The input's key."""
    annotation_id: str
    action: str
    item: str
    kind: str
    user_id: str
    concept_id: str = ""
    before: Mapping[str, Any] | None = None
    """`snapshots.Snapshot.to_json`."""
    result: Mapping[str, Any] | None = None


_H = t.history.c
_KEPT = (*Entry._fields, "app", "created_at")


def add(conn: Connection, app: int, entries: Sequence[Entry]) -> None:
    """Remember what was done; all of it at one time."""
    at = now()
    rows = [(*entry[:7], _json(entry.before), _json(entry.result), app, at) for entry in entries]
    insert_many(conn, t.history, _KEPT, rows)


def remember(
    conn: Connection,
    app: int,
    was: Iterable[tuple[Snapshot, str, Mapping[str, Any]]],
    *,
    action: str,
    user_id: str,
    wire: bool = True,
) -> None:
    """Remember a person's change of whole annotations: as they were, each with PATCH or DELETE and its result.

    A result holds what undoing asks for: of a patch `digest`, that of what the annotation became, or `status_code`
    where it became that and nothing else changed; and `rejections`, the keys of what was rejected by it, if anything.
    """
    add(
        conn,
        app,
        [Entry(s.input, s.id, action, s.id, kind, user_id, "", s.to_json(wire=wire), made) for s, kind, made in was],
    )


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, separators=(",", ":"))


_LIGHT = select(*(c for c in t.history.c if c.key != "before"))
_ACTION = (_H.app == bindparam("of_app"), _H.action == bindparam("of_action"))
_OF_ACTION = Prepared(_LIGHT.where(*_ACTION).order_by(_H.pk.desc()))
_OF_ONE = Prepared(
    _LIGHT.where(_H.app == bindparam("of_app"), _H.annotation_id == bindparam("annotation_id")).order_by(_H.pk)
)
_OF_ANNOTATIONS = _LIGHT.where(
    _H.app == bindparam("of_app"), _H.annotation_id.in_(bindparam("ids", expanding=True))
).order_by(_H.pk)


def of_action(conn: Connection, app: int, action: str) -> list[Row[Any]]:
    """The entries of an action without `before`, the last one first."""
    return _OF_ACTION.all(conn, of_app=app, of_action=action)


def of_action_whole(
    conn: Connection, app: int, action: str, *, limit: int, before: int | None = None
) -> list[Row[Any]]:
    """Entries of an action with `before`, the last one first; below the key ``before`` where it is given."""
    query = select(t.history).where(_H.app == app, _H.action == action)
    if before is not None:
        query = query.where(_H.pk < before)
    return list(conn.execute(query.order_by(_H.pk.desc()).limit(limit)))


def of_annotations(conn: Connection, app: int, ids: Collection[str]) -> dict[str, list[Row[Any]]]:
    """Annotation id to its entries without `before`, the first one first."""
    found: dict[str, list[Row[Any]]] = {}
    if len(ids) == 1:
        (id_,) = ids
        found[id_] = _OF_ONE.all(conn, of_app=app, annotation_id=id_)
    elif ids:
        for row in conn.execute(_OF_ANNOTATIONS, {"of_app": app, "ids": list(ids)}):
            found.setdefault(row.annotation_id, []).append(row)
    return found


def before(conn: Connection, pk: int) -> Mapping[str, Any] | None:
    """What an entry remembers of the annotation."""
    found: Mapping[str, Any] | None = conn.execute(select(_H.before).where(_H.pk == pk)).scalar()
    return found


def last_action(conn: Connection, app: int, user_id: str) -> str | None:
    """A user's last verdicts in an app that can be undone: not undone yet, and not in vain tried to.

    Answers of audits are not among them: their own page takes those back.
    """
    query: Select[Any] = (
        select(_H.action)
        .where(
            _H.app == app,
            _H.user_id == user_id,
            _H.undone_at.is_(None),
            _H.kind.in_(VERDICTS),
            func.coalesce(_H.result["kept"].as_boolean(), False).is_(False),
            _H.result["drawn"].as_string().is_(None),
        )
        .order_by(_H.created_at.desc(), _H.pk.desc())
        .limit(1)
    )
    found: str | None = conn.execute(query).scalar()
    return found


def undone(conn: Connection, pks: Iterable[int], by: str) -> None:
    """Note that entries were undone."""
    if wanted := list(pks):
        query = update(t.history).where(_H.pk.in_(bindparam("pks", expanding=True)))
        conn.execute(query.values(undone_at=now(), undone_by=by), {"pks": wanted})


def set_results(conn: Connection, results: Mapping[int, Mapping[str, Any]]) -> None:
    """Give entries (by key) another result."""
    if results:
        query = update(t.history).where(_H.pk == bindparam("of")).values(result=bindparam("now"))
        conn.execute(query, [{"of": pk, "now": dict(result)} for pk, result in results.items()])


def page(
    conn: Connection,
    app: int,
    *,
    input_id: str | None = None,
    annotation_id: str | None = None,
    user_id: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[Row[Any]]:
    """An app's entries, the last one first, each with `input_id`.

    Args:
        annotation_id: what was done to this annotation, and the verdict by which it came to be.
        before: only entries whose key is below this one.
    """
    query = select(t.history, t.inputs.c.id.label("input_id")).join_from(t.history, t.inputs).where(_H.app == app)
    if input_id is not None:
        query = query.where(
            _H.input == select(t.inputs.c.pk).where(t.inputs.c.app == app, t.inputs.c.id == input_id).scalar_subquery()
        )
    if annotation_id is not None:
        a = t.annotations.c
        there = select(a.input).where(a.app == app, a.id == annotation_id).scalar_subquery()
        made = (_H.input == there) & (_H.result["annotation"].as_string() == annotation_id)
        query = query.where(or_(_H.annotation_id == annotation_id, made))
    if user_id is not None:
        query = query.where(_H.user_id == user_id)
    if before is not None:
        query = query.where(_H.pk < before)
    return list(conn.execute(query.order_by(_H.pk.desc()).limit(limit)))


def counts(conn: Connection, app: int, *, since: int = 0) -> dict[str, int]:
    """User id to how many verdicts of theirs stand, from a time in microseconds on."""
    query = (
        select(_H.user_id, func.count())
        .where(_H.app == app, _H.undone_at.is_(None), _H.kind.in_(VERDICTS))
        .group_by(_H.user_id)
    )
    if since:
        query = query.where(_H.created_at >= since)
    return {row[0]: row[1] for row in conn.execute(query)}

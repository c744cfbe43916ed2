"""Verdicts: what people decide about single concepts that wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import UserAppIDSet
from sqlalchemy import Connection, Row

from labelwright.errors import InvalidRequest, LabelwrightError
from labelwright.ids import new_id
from labelwright.protocol import given as g
from labelwright.protocol.dispatch import Call
from labelwright.protocol.relabelling import named
from labelwright.protocol.verdict_rules import Named, judge
from labelwright.protocol.verdict_undo import undo
from labelwright.store import history, snapshots
from labelwright.store.engine import now
from labelwright.store.snapshots import Held, Snapshot

__all__ = ["MAX_VERDICTS", "decide", "undo"]

MAX_VERDICTS = 500


def decide(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """Decide about items in one transaction; each has its own result, in the order given.

    ``state`` is "done"; "again" where this action has decided it before; "gone" where it waits no more, with ``by``,
    who decided where that is known, or where the verdict is not legal, with ``error``. Whether somebody holds the
    item does not matter: who decides first has decided.

    Raises:
        InvalidRequest: something given is not legal, or the action is another user's.
        LabelwrightError: as `Call.app`.
    """
    g.tab(given)
    action = g.needed(given, "action", most=64)
    verdicts = g.objects(given, "verdicts", most=MAX_VERDICTS)
    for verdict in verdicts:
        g.needed(verdict, "item", most=g.TEXT + 11)
    with call.store.write() as conn:
        app = call.app(conn, where, change=True)
        results = _Session(conn, app, call.user_id, action, verdicts).decide()
    return {"action": action, "results": results}


class _Session:
    """One action on its way."""

    def __init__(
        self, conn: Connection, app: Row[Any], user_id: str, action: str, verdicts: list[Mapping[str, Any]]
    ) -> None:
        self._conn = conn
        self._app = app
        self._user_id = user_id
        self._action = action
        self._verdicts = verdicts
        self._at = now()
        made = history.of_action(conn, app.pk, action)
        if any(row.user_id != user_id for row in made):
            raise InvalidRequest("this action is another user's; each needs an id of its own")
        self._made: dict[str, str] = {row.item: (row.result or {}).get("annotation", "") for row in made}
        ids = {p[0] for v in verdicts if v["item"] not in self._made and (p := g.split(v["item"])) is not None}
        self._before = snapshots.load(conn, app.pk, ids)
        self._now: dict[str, Snapshot | None] = dict(self._before)
        self._past = history.of_annotations(conn, app.pk, ids)
        self._out = {id_ for id_, rows in self._past.items() if any(took_out(row) for row in rows)}
        self._new: list[Snapshot] = []
        self._entries: list[history.Entry] = []

    def decide(self) -> list[dict[str, Any]]:
        results = [self._one(verdict) for verdict in self._verdicts]
        changes: list[tuple[Snapshot | None, Snapshot | None]] = [(s, self._now[i]) for i, s in self._before.items()]
        snapshots.write(self._conn, self._app.pk, [*changes, *((None, s) for s in self._new)])
        history.add(self._conn, self._app.pk, self._entries)
        return results

    def _one(self, verdict: Mapping[str, Any]) -> dict[str, Any]:
        item = verdict["item"]
        if item in self._made:
            return {"item": item, "state": "again", "annotation_id": self._made[item]}
        try:
            parts = g.split(item)
            if parts is None:
                raise InvalidRequest(f"item is {item!r}; one is called <annotation id>.<position>")
            concept_id = g.needed(verdict, "concept_id")
            what = g.needed(verdict, "verdict")
            if what not in history.VERDICTS:
                raise InvalidRequest(f"verdict is {what!r}; legal are {', '.join(history.VERDICTS)}")
            id_, position = parts
            there = self._now.get(id_)
            held = there.at(position) if there is not None and there.waits else None
            if there is None or held is None or held.id != concept_id:
                return self._gone(item, id_)
            new = None
            if what == history.RELABEL:
                new = named(self._conn, self._app, verdict.get("new_concept"), besides=held.id)
        except LabelwrightError as e:
            return {"item": item, "state": "gone", "error": e.details}
        return self._judge(item, there, held, what, new)

    def _judge(self, item: str, there: Snapshot, held: Held, what: str, new: Named | None) -> dict[str, Any]:
        judged = judge(
            there,
            held.position,
            what,
            by=self._user_id,
            at=self._at,
            name=new_id(),
            alone=there.id not in self._out,
            new=new,
        )
        made = judged.made
        in_place = made.id == there.id
        if in_place:
            self._now[there.id] = made
        else:
            self._now[there.id] = judged.rest
            self._new.append(made)
            self._out.add(there.id)
        result = {"annotation": made.id, "digest": made.digest(), "in_place": in_place}
        self._entries.append(
            history.Entry(
                input=there.input,
                annotation_id=there.id,
                action=self._action,
                item=item,
                kind=what,
                user_id=self._user_id,
                concept_id=held.id,
                before=there.to_json(),
                result={**result, "emptied": True} if not in_place and judged.rest is None else result,
            )
        )
        self._made[item] = made.id
        return {"item": item, "state": "done", "annotation_id": made.id}

    def _gone(self, item: str, id_: str) -> dict[str, Any]:
        found: dict[str, Any] = {"item": item, "state": "gone"}
        for row in reversed(self._past.get(id_, [])):
            if row.item == item and row.undone_at is None and row.kind in history.VERDICTS:
                return {**found, "by": row.user_id, "annotation_id": (row.result or {}).get("annotation", "")}
            if row.item == id_ and row.undone_at is None:
                return {**found, "by": row.user_id}
        return found


def took_out(row: Row[Any]) -> bool:
    """Whether an entry of the history is a verdict by which a concept left its annotation, and stands."""
    return row.kind in history.VERDICTS and row.undone_at is None and not (row.result or {}).get("in_place")

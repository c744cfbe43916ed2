"""Undoing verdicts: what an action changed is put back; what somebody changed since stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import UserAppIDSet
from sqlalchemy import Connection, Row

from labelwright.errors import AnnotationPermissionDenied, DoesNotExist, InvalidRequest
from labelwright.ids import new_id
from labelwright.protocol import given as g
from labelwright.protocol.dispatch import Call
from labelwright.protocol.hosted import Hosting
from labelwright.protocol.review_messages import show_items
from labelwright.protocol.review_queue import holder_of
from labelwright.protocol.verdict_rules import put_back
from labelwright.store import annotations as stored
from labelwright.store import concepts, history, review_items, runs, snapshots
from labelwright.store.engine import now
from labelwright.store.review_items import Place
from labelwright.store.snapshots import Snapshot


def undo(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """Put back what an action of the caller's decided; without ``action``, the last one in this app.

    What comes back waits again and is held by the tab. What was changed since stays, and ``kept`` says why. An action
    that is undone already brings what of it waits; where there is none to undo, ``action`` is null. The app's owner
    may undo anybody's.

    Raises:
        InvalidRequest: something given is not legal, or the action is no verdict.
        DoesNotExist: there is no such action.
        AnnotationPermissionDenied: it is another user's.
        LabelwrightError: as `Call.app`.
    """
    holder = holder_of(call, g.tab(given))
    action = g.text(given, "action", most=64)
    hosting = Hosting(call)
    with call.store.write() as conn:
        app = call.app(conn, where, change=True)
        if action is None:
            action = history.last_action(conn, app.pk, call.user_id)
            if action is None:
                return {"action": None, "undone": [], "kept": []}
        rows = history.of_action(conn, app.pk, action, whole=True)
        if not rows:
            raise DoesNotExist(f"app {app.id!r} has no action {action!r}")
        if app.user_id != call.user_id and any(row.user_id != call.user_id for row in rows):
            raise AnnotationPermissionDenied("only the app's owner may undo another user's verdicts")
        if any(row.kind not in history.VERDICTS for row in rows):
            raise InvalidRequest(f"action {action!r} is no verdict but a {rows[0].kind}; verdicts can be undone")
        back, kept = _Undoing(conn, app, rows, call.user_id).run()
        items = _hand_out(conn, app, back, holder, hosting)
    return {"action": action, "undone": items, "kept": kept}


def _hand_out(
    conn: Connection, app: Row[Any], back: list[tuple[str, int]], holder: str, hosting: Hosting
) -> list[dict[str, Any]]:
    """Let a tab hold what came back, given as annotation id and position, and show it with what waits beside it."""
    keys = stored.keys(conn, app.pk, sorted({id_ for id_, _ in back}))
    places: list[Place] = [(keys[id_], position) for id_, position in back if id_ in keys]
    at = now()
    kept = review_items.hold(conn, places, holder=holder, at=at)
    found = review_items.get(conn, kept)
    rows = [found[p] for p in places if p in found]
    beside: dict[int, list[Row[Any]]] = {}
    for row in review_items.of_inputs(conn, {row.input for row in rows}) if rows else []:
        if row.held_by in (None, holder) or row.held_until <= at:
            beside.setdefault(row.input, []).append(row)
    groups = []
    for row in rows:
        others = [r for r in beside.get(row.input, []) if (r.annotation, r.position) != (row.annotation, row.position)]
        groups.append((row, others))
    review_items.hold(conn, [(r.annotation, r.position) for _, others in groups for r in others], holder=holder, at=at)
    return show_items(conn, app, groups, hosting)


class _Undoing:
    """One action on its way back."""

    def __init__(self, conn: Connection, app: Row[Any], rows: list[Row[Any]], user_id: str) -> None:
        self._conn = conn
        self._app = app
        self._rows = rows
        self._user_id = user_id
        self._done: set[int] = set()
        ids = {row.annotation_id for row in rows} | {row.result["annotation"] for row in rows}
        self._start = snapshots.load(conn, app.pk, ids)
        self._now: dict[str, Snapshot | None] = dict(self._start)
        self._past = history.of_annotations(conn, app.pk, ids)
        befores = [Snapshot.from_json(row.before) for row in rows]
        self._befores = {row.pk: before for row, before in zip(rows, befores, strict=True)}
        self._concepts = concepts.by_pks(conn, {c.concept for s in befores for c in s.concepts})
        self._undone_runs = runs.undone(conn, {s.run for s in befores if s.run is not None})

    def run(self) -> tuple[list[tuple[str, int]], list[dict[str, Any]]]:
        """Returns what waits again, as annotation id and position, and what is kept."""
        back, kept, vain = [], [], {}
        for row in self._rows:
            if row.undone_at is not None:
                back.append(self._place(row))
                continue
            why = self._why_not(row)
            if why is None:
                back.append(self._one(row))
                self._done.add(row.pk)
            else:
                kept.append({"item": row.item, "why": why})
                vain[row.pk] = {**row.result, "kept": True}
        ids = self._start.keys() | self._now.keys()
        snapshots.write(self._conn, self._app.pk, [(self._start.get(i), self._now.get(i)) for i in ids])
        history.undone(self._conn, self._done, self._user_id)
        history.set_results(self._conn, vain)
        # In the order in which they were decided.
        return back[::-1], kept[::-1]

    @staticmethod
    def _place(row: Row[Any]) -> tuple[str, int]:
        return g.split((row.result or {}).get("back", row.item)) or (row.annotation_id, 0)

    def _why_not(self, row: Row[Any]) -> str | None:
        before = self._befores[row.pk]
        held = before.at(self._position(row))
        made = self._now.get(row.result["annotation"])
        if made is None:
            return f"it was deleted since{self._by(row)}"
        # To flag what is flagged changes nothing that could be told by a look, and is a later word all the same.
        decided = any(r.kind in history.VERDICTS for r in self._later(row))
        if decided or made.digest() != row.result["digest"]:
            return f"it was changed since{self._by(row)}"
        if held is None or held.concept not in self._concepts:
            return f"the concept {row.concept_id!r} was deleted since"
        if before.run in self._undone_runs:
            return "the run that proposed it was taken back since"
        return None

    def _by(self, row: Row[Any]) -> str:
        later = self._later(row)
        return f" by {later[-1].user_id!r}" if later else ""

    def _later(self, row: Row[Any]) -> list[Row[Any]]:
        """What was done since to the annotation that a verdict made, and stands."""
        past = self._past.get(row.result["annotation"], [])
        return [r for r in past if r.pk > row.pk and r.undone_at is None and r.pk not in self._done]

    @staticmethod
    def _position(row: Row[Any]) -> int:
        parts = g.split(row.item)
        return parts[1] if parts is not None else -1

    def _one(self, row: Row[Any]) -> tuple[str, int]:
        before, made = self._befores[row.pk], row.result["annotation"]
        position = self._position(row)
        if row.result["in_place"]:
            there = self._now[made]
            self._now[made] = before if there is None else replace(before, pk=there.pk)
            return made, position
        held = before.at(position)
        if held is None:
            raise ValueError(f"{row.item} was not there before")
        self._now[made] = None
        there = self._now.get(row.annotation_id)
        if there is None:
            before = self._last_of(row, before)
        after, position = put_back(there, before, held, name=new_id())
        if there is None and before.id not in self._start and before.pk in stored.taken(self._conn, [before.pk]):
            after = replace(after, pk=0)
        self._now[after.id] = after
        if (after.id, position) != (row.annotation_id, self._position(row)):
            history.set_results(self._conn, {row.pk: {**row.result, "back": f"{after.id}.{position}"}})
        return after.id, position

    def _last_of(self, row: Row[Any], before: Snapshot) -> Snapshot:
        """An annotation as it was when its last concept left it: it may have been changed after this verdict."""
        emptied = [r.pk for r in self._past.get(row.annotation_id, []) if (r.result or {}).get("emptied")]
        if not emptied or emptied[-1] <= row.pk:
            return before
        last = history.before(self._conn, emptied[-1])
        return before if last is None else replace(Snapshot.from_json(last), concepts=before.concepts)

"""Undoing what people did: what an action changed is put back; what somebody changed since stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import UserAppIDSet
from sqlalchemy import Connection, Row

from labelwright.errors import AnnotationPermissionDenied, DoesNotExist
from labelwright.ids import new_id
from labelwright.protocol import change_undo
from labelwright.protocol import given as g
from labelwright.protocol.dispatch import Call
from labelwright.protocol.hosted import Hosting
from labelwright.protocol.review_messages import show_items
from labelwright.protocol.review_queue import holder_of
from labelwright.protocol.verdict_rules import put_back
from labelwright.store import annotations as stored
from labelwright.store import audits, concepts, history, review_items, runs, snapshots
from labelwright.store.engine import now
from labelwright.store.review_items import Place
from labelwright.store.snapshots import Snapshot

AT_ONCE = 500
"""Changes that a transaction undoes, and items that a reply brings at most; whose verdicts are undone together where
these are as many or fewer."""


def undo(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """Put back what an action of the caller's changed; without ``action``, their last verdicts in this app.

    The action of an API call that patched or deleted annotations, or gave them another status, is its req_id. What
    waits again is held by the tab and comes back as ``undone``, the first AT_ONCE of it; ``restored`` says how many
    annotations are as they were, or there again, of those that were changed whole. What was changed since stays, and
    ``kept`` says why. An action that is undone already brings what of it waits; where there is none to undo,
    ``action`` is null. The app's owner may undo anybody's.

    Raises:
        InvalidRequest: something given is not legal.
        DoesNotExist: there is no such action.
        AnnotationPermissionDenied: it is another user's.
        LabelwrightError: as `Call.app`.
    """
    holder = holder_of(call, g.tab(given))
    action = g.text(given, "action", most=64)
    hosting = Hosting(call)
    items: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    restored, before = 0, None
    while True:
        with call.store.write() as conn:
            app = call.app(conn, where, change=True)
            if action is None:
                action = history.last_action(conn, app.pk, call.user_id)
                if action is None:
                    return {"action": None, "undone": [], "kept": [], "restored": 0}
            rows = history.of_action_whole(conn, app.pk, action, limit=AT_ONCE, before=before)
            if not rows and before is None:
                raise DoesNotExist(f"app {app.id!r} has no action {action!r}")
            if app.user_id != call.user_id and any(row.user_id != call.user_id for row in rows):
                raise AnnotationPermissionDenied("only the app's owner may undo what another user did")
            undoing = _Undoing(conn, app, rows, call.user_id)
            undoing.run()
            restored += undoing.restored
            # The rows come last first, and so do the parts of a long action.
            kept[:0] = undoing.kept
            items[:0] = _hand_out(conn, app, undoing.back[: AT_ONCE - len(items)], holder, hosting)
        if len(rows) < AT_ONCE:
            return {"action": action, "undone": items, "kept": kept, "restored": restored}
        before = rows[-1].pk


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
        self.back: list[tuple[str, int]] = []
        """What waits again, as annotation id and position, in the order in which it was decided."""
        self.kept: list[dict[str, Any]] = []
        self.restored = 0
        ids = {row.annotation_id for row in rows} | {_made(row) for row in rows}
        self._start = snapshots.load(conn, app.pk, ids)
        self._now: dict[str, Snapshot | None] = dict(self._start)
        self._past = history.of_annotations(conn, app.pk, ids)
        befores = [Snapshot.from_json(row.before) for row in rows]
        self._befores = {row.pk: before for row, before in zip(rows, befores, strict=True)}
        self._concepts = concepts.by_pks(conn, {c.concept for s in befores for c in s.concepts})
        self._undone_runs = runs.undone(conn, {s.run for s in befores if s.run is not None})
        gone = [row.before["pk"] for row in rows if row.kind == history.DELETE]
        self._taken = stored.taken(conn, gone) if gone else set()

    def run(self) -> None:
        """Undo what can be undone."""
        vain: dict[int, dict[str, Any]] = {}
        rejections: list[tuple[int, int]] = []
        for row in self._rows:
            whole = row.kind not in history.VERDICTS
            if row.undone_at is not None:
                self.back += self._places(row) if whole else [self._place(row)]
                continue
            why = self._why_not_whole(row) if whole else self._why_not(row)
            if why is not None:
                self.kept.append({"item": row.item, "why": why})
                if not whole:
                    vain[row.pk] = {**row.result, "kept": True}
                continue
            if whole:
                self._restore(row)
                rejections += [(pk, row.input) for pk in row.result.get("rejections", ())]
                self.back += self._places(row)
            else:
                self.back.append(self._one(row))
            self._done.add(row.pk)
        ids = self._start.keys() | self._now.keys()
        snapshots.write(self._conn, self._app.pk, [(self._start.get(i), self._now.get(i)) for i in ids])
        stored.unreject(self._conn, rejections)
        history.undone(self._conn, self._done, self._user_id)
        audits.reopen(self._conn, self._app.pk, [row for row in self._rows if row.pk in self._done])
        history.set_results(self._conn, vain)
        self.back.reverse()
        self.kept.reverse()

    # ---- changes of whole annotations ----

    def _why_not_whole(self, row: Row[Any]) -> str | None:
        why = change_undo.why_not(
            row,
            self._befores[row.pk],
            self._now.get(row.annotation_id),
            later=bool(self._later(row)),
            known=self._concepts,
            undone=self._undone_runs,
        )
        return f"{why}{self._by(row)}" if why in change_undo.BY_PEOPLE else why

    def _restore(self, row: Row[Any]) -> None:
        before, now = self._befores[row.pk], self._now.get(row.annotation_id)
        made = change_undo.restored(row, before, now)
        self._now[made.id] = replace(made, pk=0) if now is None and made.pk in self._taken else made
        self.restored += 1

    def _places(self, row: Row[Any]) -> list[tuple[str, int]]:
        now = self._now.get(row.annotation_id)
        return [(now.id, c.position) for c in now.concepts[::-1]] if now is not None and now.waits else []

    # ---- verdicts ----

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
        if self._later(row) or made.digest() != row.result["digest"]:
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
        """What was done since to the annotation that a verdict made, or a change left, and stands."""
        past = self._past.get(_made(row), [])
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


def _made(row: Row[Any]) -> str:
    """The id of the annotation that an entry's change made or left."""
    made: str = (row.result or {}).get("annotation", row.annotation_id)
    return made

"""Answering what chance drew, and taking an answer back: the label follows in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import UserAppIDSet
from sqlalchemy import Connection, Row

from labelwright import metrics
from labelwright.annotator.labels import WHOLE
from labelwright.errors import InvalidRequest, LabelwrightError
from labelwright.ids import new_id
from labelwright.protocol import audits, verdicts
from labelwright.protocol import given as g
from labelwright.protocol.audit_alarms import watch_of
from labelwright.protocol.dispatch import Call
from labelwright.protocol.hosted import Hosting
from labelwright.protocol.relabelling import named
from labelwright.protocol.resources.annotation_messages import SUCCESS
from labelwright.protocol.review_queue import holder_of
from labelwright.protocol.verdict_rules import Named, judge
from labelwright.store import annotation_workers, concepts, draws, history, snapshots
from labelwright.store import audits as stored
from labelwright.store import tables as t
from labelwright.store.audits import Standing, Word
from labelwright.store.engine import now
from labelwright.store.snapshots import Held, Snapshot

YES, NO, UNSURE, WHICH = "yes", "no", "unsure", "which"
VERDICTS = (YES, NO, UNSURE, WHICH)

MAX_VERDICTS = 500

_OUTCOMES = {draws.RIGHT: metrics.RIGHT, draws.WRONG: metrics.WRONG, draws.UNTOLD: metrics.UNTOLD}


def answer(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """Answer drawn items in one transaction; each has its own result, in the order given.

    To "is" the answers are "yes", "no" (``new_concept`` may say what it is) and "unsure"; to "which" they are "which"
    with ``new_concept``, "no" for none of them, and "unsure". What is asked about is then decided as a verdict of the
    review decides it: a yes confirms the label, a no makes it a negative one. "unsure" changes nothing.

    ``state`` is "done"; "again" where this action has answered it before; "gone" where somebody else has, with ``by``,
    or where the answer is not legal, with ``error``. What is done tells the model's ``score``, and ``right``.

    Raises:
        InvalidRequest: something given is not legal.
        LabelwrightError: as `Call.app`.
    """
    g.tab(given)
    action = g.needed(given, "action", most=64)
    wanted = g.objects(given, "verdicts", most=MAX_VERDICTS)
    for verdict in wanted:
        g.needed(verdict, "item", most=18)
    watch = watch_of(call.store)
    # The alarms are looked at beside the transaction that writes: whoever else writes does not wait for the sums.
    with call.store.read() as conn:
        app = call.app(conn, where)
        asked = stored.asked_about(conn, app.pk, _keys(wanted))
        watch.before(conn, app.pk, asked)
    with call.store.write() as conn:
        app = call.app(conn, where, change=True)
        session = _Session(conn, app, call.user_id, action, wanted)
        results = session.answer()
    for code in session.answered:
        metrics.audited(_OUTCOMES[code])
    watch.after(call.store, app, asked)
    return {"action": action, "results": results}


def _keys(wanted: list[Mapping[str, Any]]) -> set[int]:
    return {pk for v in wanted if (pk := audits.item_key(v["item"])) is not None}


class _Session:
    """One action on its way."""

    def __init__(
        self, conn: Connection, app: Row[Any], user_id: str, action: str, wanted: list[Mapping[str, Any]]
    ) -> None:
        self._conn = conn
        self._app = app
        self._user_id = user_id
        self._action = action
        self._wanted = wanted
        self._at = now()
        before = history.of_action(conn, app.pk, action)
        if any(row.user_id != user_id for row in before):
            raise InvalidRequest("this action is another user's; each needs an id of its own")
        self._judged = {row.item for row in before}
        """What the action has decided in the history, undone since or not."""
        self._items = stored.lock(conn, app.pk, _keys(wanted))
        self._there = stored.standing(
            conn, app.pk, [row for row in self._items.values() if row.kind == draws.AUDIT and row.answer is None]
        )
        ids = {row.annotation_id for row in self._items.values() if row.kind == draws.AUDIT}
        self._claims = stored.claims(conn, app.pk, [r for r in self._items.values() if r.kind == draws.VERIFY])
        ids |= {id_ for id_, _ in self._claims.values()}
        self._before = snapshots.load(conn, app.pk, ids)
        self._now: dict[str, Snapshot | None] = dict(self._before)
        past = history.of_annotations(conn, app.pk, ids)
        self._out = {id_ for id_, rows in past.items() if any(verdicts.took_out(row) for row in rows)}
        self._new: list[Snapshot] = []
        self._entries: list[history.Entry] = []
        self._made: set[int] = {row.result["drawn"] for row in before if (row.result or {}).get("drawn")}
        self.answered: list[int] = []
        """The codes of the answers about auto-labels."""
        versions = {row.model_version_id for row in self._items.values()} - {""}
        self._models = annotation_workers.models(conn, versions) if versions else {}

    def answer(self) -> list[dict[str, Any]]:
        results = [self._one(verdict) for verdict in self._wanted]
        changes: list[tuple[Snapshot | None, Snapshot | None]] = [(s, self._now[i]) for i, s in self._before.items()]
        snapshots.write(self._conn, self._app.pk, [*changes, *((None, s) for s in self._new)])
        history.add(self._conn, self._app.pk, self._entries)
        return results

    def _one(self, verdict: Mapping[str, Any]) -> dict[str, Any]:
        name = verdict["item"]
        item = self._items.get(audits.item_key(name) or 0)
        if item is None:
            return {"item": name, "state": "gone"}
        if item.pk in self._made or (item.answer is not None and (item.said or {}).get("action") == self._action):
            return {"item": name, "state": "again", **self._told(item, item.answer)}
        if item.answer is not None:
            return {"item": name, "state": "gone", "by": item.answered_by}
        try:
            what = g.one_of(verdict, "verdict", VERDICTS)
            if "verdict" not in verdict:
                raise InvalidRequest(f"verdict is missing; legal are {', '.join(VERDICTS)}")
            return self._answer(item, what, verdict)
        except LabelwrightError as e:
            return {"item": name, "state": "gone", "error": e.details}

    def _answer(self, item: Row[Any], what: str, verdict: Mapping[str, Any]) -> dict[str, Any]:
        """What somebody says of an item, if that is an answer to what was asked."""
        which = audits.asks_which(item)
        if what == (YES if which else WHICH):
            legal = "which, no and unsure" if which else "yes, no and unsure"
            raise InvalidRequest(f"verdict is {what!r}; to this question {legal} are legal")
        label = self._there.get(item.pk)
        if isinstance(label, Word):
            stored.settle(self._conn, [(item.pk, label)])
            return {"item": str(item.pk), "state": "gone", **({"by": label.by} if label.by else {})}
        if what == UNSURE:
            return self._keep(item, draws.UNTOLD, {})
        new = None
        if what == WHICH:
            new = named(self._conn, self._app, verdict.get("new_concept"))
        elif what == NO and not which and verdict.get("new_concept") is not None:
            new = named(self._conn, self._app, verdict["new_concept"], besides=item.concept_id)
        if item.kind == draws.TEACH:
            return self._taught(item, new)
        right = what == YES or (new is not None and new.id == item.concept_id)
        new = None if right else new
        said: dict[str, Any] = {"concept": item.concept_id if right else new.id if new is not None else None}
        annotation_id, label = self._label_of(item, label)
        if label is None:
            said |= self._write(item, right, new)
        else:
            said |= self._judge(item, annotation_id, label, right, new)
        return self._keep(item, draws.RIGHT if right else draws.WRONG, said)

    def _label_of(self, item: Row[Any], label: Standing | None) -> tuple[str, Standing | None]:
        """The annotation in which the model said what was drawn, and where; None where it is in none."""
        if item.kind == draws.AUDIT:
            return item.annotation_id, label
        id_, position = self._claims.get(item.pk, ("", 0))
        there = self._now.get(id_)
        held = there.at(position) if there is not None else None
        if there is None or held is None:
            return "", None
        return id_, Standing(there.pk, held.position, held.slot, there.wire)

    def _judge(
        self, item: Row[Any], annotation_id: str, label: Standing, right: bool, new: Named | None
    ) -> dict[str, Any]:
        """Decide about the label as the review does; returns what is kept with the answer."""
        there = self._now.get(annotation_id)
        held = there.at(label.position) if there is not None else None
        name = f"{annotation_id}.{label.position}"
        if there is None or held is None or name in self._judged:
            raise InvalidRequest("the label was decided by another answer of the same call; answer it again")
        self._judged.add(name)
        what = history.ACCEPT if right else history.REJECT if new is None else history.RELABEL
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
        result: dict[str, Any] = {
            "annotation": made.id,
            "digest": made.digest(),
            "in_place": in_place,
            "drawn": item.pk,
        }
        if not in_place and judged.rest is None:
            result["emptied"] = True
        self._entries.append(
            history.Entry(
                input=there.input,
                annotation_id=there.id,
                action=self._action,
                item=name,
                kind=what,
                user_id=self._user_id,
                concept_id=held.id,
                before=there.to_json(),
                result=result,
            )
        )
        return {"annotation": made.id, "judged": name}

    def _taught(self, item: Row[Any], new: Named | None) -> dict[str, Any]:
        """What an input is that a model is to learn from: nothing was claimed that could be right or wrong.

        None of them is a no to each that was asked about: what tells a model of a single concept where it is not.
        """
        said: dict[str, Any] = {"concept": new.id if new is not None else None}
        if new is not None:
            said |= self._label(item, [Held(0, WHOLE, new.pk, new.id, 1.0, None)])
        elif asked := (item.draw_params or {}).get("concepts"):
            said |= self._label(item, [Held(i, WHOLE, self._key(c), c, 0.0, None) for i, c in enumerate(asked)])
        return self._keep(item, draws.RIGHT, said)

    def _write(self, item: Row[Any], right: bool, new: Named | None) -> dict[str, Any]:
        """A person's own label, where the model's claim is in no annotation."""
        claimed = Held(0, WHOLE, self._key(item.concept_id), item.concept_id, float(right), None)
        return self._label(item, [claimed] if new is None else [claimed, Held(1, WHOLE, new.pk, new.id, 1.0, None)])

    def _label(self, item: Row[Any], told: list[Held]) -> dict[str, Any]:
        made = Snapshot(
            pk=0,
            id=new_id(),
            input=item.input,
            user_id=self._user_id,
            status_code=SUCCESS,
            origin=t.PERSON,
            input_level=False,
            listed=True,
            trusted=True,
            touched=True,
            model_version_id="",
            workflow_version_id="",
            run=None,
            task_id="",
            annotation_info=None,
            wire=b"",
            created_at=self._at,
            concepts=tuple(told),
        )
        self._new.append(made)
        return {"annotation": made.id, "digest": made.digest()}

    def _key(self, concept_id: str) -> int:
        return concepts.ensure(self._conn, self._app.pk, {concept_id: ""})[concept_id]

    def _keep(self, item: Row[Any], code: int, said: dict[str, Any]) -> dict[str, Any]:
        said = {**said, "action": self._action}
        draws.answer(self._conn, item.pk, code, by=self._user_id, said=said, at=self._at)
        self._made.add(item.pk)
        if item.kind == draws.AUDIT:
            self.answered.append(code)
        return {"item": str(item.pk), "state": "done", **self._told(item, code)}

    def _told(self, item: Row[Any], code: int | None) -> dict[str, Any]:
        """What may be known of an item once it is answered."""
        if item.kind == draws.TEACH:
            # No model said anything of it.
            return {"right": None}
        model = self._models.get(item.model_version_id)
        right = {draws.RIGHT: True, draws.WRONG: False}.get(code) if code is not None else None
        return {
            "right": right,
            "score": item.score,
            "claimed": item.concept_id,
            "model": {"id": model.id if model else "", "version_id": item.model_version_id},
        }


# --- undoing --------------------------------------------------------------------------------------


def undo(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """Take back the answers of an action of the caller's; without ``action``, their last answer in this app.

    The label is as it was before, and the item waits again, held by the tab. Where somebody has changed the label
    since, that and the answer stay, and ``kept`` says why.

    Where there is nothing to take back, as of an action that is undone already, ``undone`` is empty.

    Raises:
        InvalidRequest: something given is not legal.
        LabelwrightError: as `Call.app`.
    """
    tab = g.tab(given)
    holder, hosting = holder_of(call, tab), Hosting(call)
    action = g.text(given, "action", most=64)
    with call.store.read() as conn:
        app = call.app(conn, where)
        if action is None:
            last = stored.last_answered(conn, app.pk, call.user_id)
            row = draws.items(conn, app.pk, [last]).get(last) if last is not None else None
            if row is None:
                return {"action": None, "undone": [], "kept": []}
            action = str(row.said["action"])
        pks = stored.of_action(conn, app.pk, call.user_id, action)
        rows = draws.items(conn, app.pk, pks)
        watch, asked = watch_of(call.store), {row.model_version_id for row in rows.values() if row.kind == draws.AUDIT}
        watch.before(conn, app.pk, asked)
    if not rows:
        return {"action": action, "undone": [], "kept": []}
    kept: list[dict[str, Any]] = []
    if any(row.said.get("judged") for row in rows.values()):
        # This lets the items wait again in its own transaction.
        kept = _undo_verdicts(call, where, tab, action, rows)
    with call.store.write() as conn:
        app = call.app(conn, where, change=True)
        found = stored.lock(conn, app.pk, pks)
        for row in found.values():
            said = row.said or {}
            if said.get("action") != action or row.answered_by != call.user_id or said.get("judged"):
                continue
            if "annotation" in said and (why := _take_back(conn, app, said)) is not None:
                kept.append({"item": str(row.pk), "why": why})
                continue
            draws.unanswer(conn, row.pk, by=call.user_id)
        at = now()
        mine = draws.hold(conn, app.pk, set(pks), holder=holder, at=at)
        again = list(draws.items(conn, app.pk, mine).values())
        there = stored.standing(conn, app.pk, [row for row in again if row.kind == draws.AUDIT])
        back = [row for row in again if not isinstance(there.get(row.pk), Word)]
        shown = audits.show(conn, app, back, there, hosting)
    watch.after(call.store, app, asked)
    return {"action": action, "undone": shown, "kept": kept}


def _undo_verdicts(
    call: Call, where: UserAppIDSet, tab: str, action: str, rows: Mapping[int, Row[Any]]
) -> list[dict[str, Any]]:
    undone = verdicts.undo(call, where, {"tab": tab, "action": action})
    of = {row.said.get("judged"): str(pk) for pk, row in rows.items()}
    return [{"item": of.get(k["item"], k["item"]), "why": k["why"]} for k in undone["kept"]]


def _take_back(conn: Connection, app: Row[Any], said: Mapping[str, Any]) -> str | None:
    """Delete the label that an answer made; why not, where somebody has changed it since."""
    there = snapshots.load(conn, app.pk, [said["annotation"]]).get(said["annotation"])
    if there is None:
        return None
    if there.digest() != said.get("digest"):
        return "it was changed since"
    snapshots.write(conn, app.pk, [(there, None)])
    return None

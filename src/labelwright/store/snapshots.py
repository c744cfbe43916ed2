"""Annotations as they stand, whole: what a verdict starts from, what it leaves behind, what undoing puts back."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from labelwright.store import annotations as stored
from labelwright.store import review_items
from labelwright.store import tables as t
from labelwright.store.engine import insert_many, next_keys, now, run_many


class Held(NamedTuple):
    """A concept that an annotation holds."""

    position: int
    slot: int
    concept: int
    """Its key."""
    id: str
    value: float
    score: float | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An annotation with its concepts, less the time of its last change."""

    pk: int
    """0 for one that is not written yet."""
    id: str
    input: int
    """The input's key."""
    user_id: str
    status_code: int
    origin: int
    input_level: bool
    listed: bool
    trusted: bool
    touched: bool
    model_version_id: str
    workflow_version_id: str
    run: int | None
    task_id: str
    annotation_info: Mapping[str, Any] | None
    wire: bytes
    created_at: int
    concepts: tuple[Held, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether its concepts wait for a person."""
        return self.status_code in review_items.WAITING and not self.input_level

    def at(self, position: int) -> Held | None:
        """The concept at a position."""
        return next((c for c in self.concepts if c.position == position), None)

    def less(self, position: int) -> Snapshot:
        """The same without the concept at a position."""
        return replace(self, concepts=tuple(c for c in self.concepts if c.position != position))

    def more(self, concept: Held) -> Snapshot:
        """The same with one more concept, at its position."""
        return replace(self, concepts=tuple(sorted((*self.concepts, concept))))

    def digest(self) -> str:
        """What tells two states of an annotation apart, as far as people can change it: 32 hexadecimal digits."""
        return digest(self, self, [(*c[:3], *c[4:]) for c in self.concepts])

    def to_json(self, *, wire: bool = True) -> dict[str, Any]:
        """As JSON, for the history; without ``wire`` it is good for being looked at alone."""
        made = {name: getattr(self, name) for name in _PLAIN}
        made["wire"] = base64.b64encode(self.wire).decode() if wire else None
        made["concepts"] = [list(c) for c in self.concepts]
        return made

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Snapshot:
        """The inverse of `to_json`."""
        return cls(
            **{name: given[name] for name in _PLAIN},
            wire=base64.b64decode(given["wire"] or ""),
            concepts=tuple(Held(*c) for c in given["concepts"]),
        )


def digest(of: Any, now: Any, concepts: Sequence[tuple[int, int, int, float, float | None]]) -> str:
    """`Snapshot.digest` of an annotation that is just being changed.

    Args:
        of: has `user_id` and `input`.
        now: has `status_code`, `origin`, `task_id`, `annotation_info` and `wire`.
        concepts: of each its position, slot, key, value and score, by position.
    """
    said = [of.user_id, now.status_code, now.origin, now.task_id, now.annotation_info, of.input]
    text = _dumps([*said, concepts])
    return hashlib.sha256(text.encode() + now.wire).hexdigest()[:32]


# Built once: `json.dumps` makes an encoder a call where it is told to sort.
_dumps = json.JSONEncoder(sort_keys=True).encode

_COLUMNS = (
    "pk",
    "id",
    "input",
    "user_id",
    "status_code",
    "origin",
    "input_level",
    "listed",
    "trusted",
    "touched",
    "model_version_id",
    "workflow_version_id",
    "run",
    "task_id",
    "annotation_info",
    "wire",
    "created_at",
)
_PLAIN = tuple(name for name in _COLUMNS if name != "wire")
_CHANGED = ("user_id", "status_code", "origin", "listed", "touched", "task_id", "annotation_info", "wire")
"""What an annotation that stays can differ in."""


def of(row: Row[Any], concepts: Iterable[Row[Any]]) -> Snapshot:
    """An annotation's row with its concepts, as from `annotations.by_ids` and `annotations.concepts_of`."""
    return Snapshot(
        **{name: getattr(row, name) for name in _PLAIN},
        wire=bytes(row.wire or b""),
        concepts=tuple(Held(c.position, c.slot, c.concept, c.id, c.value, c.score) for c in concepts),
    )


def load(conn: Connection, app: int, ids: Collection[str]) -> dict[str, Snapshot]:
    """Annotation id to how it stands, for those that the app has; nobody changes them until the transaction ends."""
    if not ids:
        return {}
    rows = stored.locked(conn, app, ids)
    concepts = stored.concepts_of(conn, [row.pk for row in rows.values()])
    return {id_: of(row, concepts[row.pk]) for id_, row in rows.items()}


def write(conn: Connection, app: int, changes: Iterable[tuple[Snapshot | None, Snapshot | None]]) -> None:
    """Let annotations that stood in one way stand in another; None for one that is not there.

    One that was not there is written under its own key where it has one.
    """
    at = now()
    old, new, both = [], [], []
    for before, after in changes:
        if after is None:
            if before is not None:
                old.append(before)
        elif before is None:
            new.append(after)
        elif before != after:
            both.append((before, after))
    run_many(conn, "DELETE FROM annotations WHERE pk = ?", [(s.pk,) for s in old])
    _change(conn, app, both, at)
    _add(conn, app, new, at)


def _add(conn: Connection, app: int, rows: Sequence[Snapshot], at: int) -> None:
    missing = sum(not s.pk for s in rows)
    fresh = iter(next_keys(conn, t.annotations, missing) if missing else ())
    rows = [s if s.pk else replace(s, pk=next(fresh)) for s in rows]
    insert_many(
        conn,
        t.annotations,
        (*_COLUMNS, "app", "modified_at"),
        [(*(_value(name, getattr(s, name)) for name in _COLUMNS), app, at) for s in rows],
    )
    _add_concepts(conn, [(s, c) for s in rows for c in s.concepts])
    review_items.add(conn, [_item(app, s, c) for s in rows if s.waits for c in s.concepts])


def _change(conn: Connection, app: int, changes: Sequence[tuple[Snapshot, Snapshot]], at: int) -> None:
    if not changes:
        return
    run_many(
        conn,
        _UPDATE,
        [
            (*(_value(name, getattr(s, name)) for name in _CHANGED), at, s.pk)
            for before, s in changes
            if _differ(before, s)
        ],
    )
    run_many(conn, _TOUCH, [(at, s.pk) for before, s in changes if not _differ(before, s)])
    gone: list[tuple[int, int]] = []
    come: list[tuple[Snapshot, Held]] = []
    wait: list[tuple[Any, ...]] = []
    settled: list[tuple[int]] = []
    for before, after in changes:
        was, is_ = set(before.concepts), set(after.concepts)
        new = sorted(is_ - was)
        gone += [(after.pk, c.position) for c in was - is_]
        come += [(after, c) for c in new]
        if before.status_code != after.status_code:
            settled.append((after.pk,))
            new = list(after.concepts)
        if after.waits:
            wait += [_item(app, after, c) for c in new]
    run_many(conn, _SETTLE, settled)
    run_many(conn, _TAKE_OUT, gone)
    _add_concepts(conn, come)
    review_items.add(conn, wait)


# Names are ours, never a caller's.
_UPDATE = f"UPDATE annotations SET {', '.join(f'{n} = ?' for n in (*_CHANGED, 'modified_at'))} WHERE pk = ?"  # noqa: S608
_TOUCH = "UPDATE annotations SET modified_at = ? WHERE pk = ?"
_SETTLE = "DELETE FROM review_items WHERE annotation = ?"
_TAKE_OUT = "DELETE FROM annotation_concepts WHERE annotation = ? AND position = ?"


def _differ(before: Snapshot, after: Snapshot) -> bool:
    return any(getattr(before, name) != getattr(after, name) for name in _CHANGED)


def _add_concepts(conn: Connection, rows: Sequence[tuple[Snapshot, Held]]) -> None:
    insert_many(
        conn,
        t.annotation_concepts,
        ("annotation", "position", "slot", "concept", "value", "score"),
        [(s.pk, c.position, c.slot, c.concept, c.value, c.score) for s, c in rows],
    )


def _item(app: int, s: Snapshot, c: Held) -> tuple[Any, ...]:
    score = c.value if c.score is None else c.score
    return s.pk, c.position, app, s.input, c.concept, s.status_code, score, s.model_version_id, s.run


def _value(name: str, value: Any) -> Any:
    # insert_many hands values to the driver as they are.
    return json.dumps(dict(value)) if name == "annotation_info" and value is not None else value

"""Taking a run back: what it wrote goes, what it replaced returns, what a person has touched since stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from clarifai_grpc.grpc.api.resources_pb2 import Concept
from sqlalchemy import Connection, Row

from labelwright.annotator.commit import standing
from labelwright.annotator.labels import put_together, take_apart
from labelwright.annotator.precedence import allowed
from labelwright.store import annotations as annotation_rows
from labelwright.store import apps, concepts, jobs, labels, reruns, runs
from labelwright.store.annotations import NewAnnotation
from labelwright.store.engine import Store

CHUNK = 500
"""Annotations a transaction: undoing a million must not stop the labelling meanwhile."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo did."""

    removed: int
    restored: int
    left: int
    """Annotations of the run that a person has touched since, and old ones whose place a person has filled."""


class Step(NamedTuple):
    """What one transaction of an undo did."""

    dealt: int
    """Annotations and entries of the journal that it dealt with, whatever became of them."""
    removed: int
    restored: int
    left: int


def undo(store: Store, run_id: str, progress: Callable[[int], None] = lambda _n: None) -> Undone:
    """Take a run back. Stopped half-way, a second call goes on where the first one was.

    Where a later run went over an input again, its labels stand; what this run replaced returns when that one is
    taken back too.

    Args:
        run_id: the run's id, or the beginning of it.
        progress: told how many annotations were dealt with, after each transaction.

    Raises:
        DoesNotExist: there is no such run, or more than one begins so.
    """
    with store.read() as conn:
        run = runs.get(conn, run_id)
    removed = restored = left = 0
    for step in steps(store, run):
        removed, restored, left = removed + step.removed, restored + step.restored, left + step.left
        progress(step.dealt)
    with store.read() as conn:
        left += runs.touched(conn, run.pk)
    return Undone(removed, restored, left)


def steps(store: Store, run: Row[Any]) -> Iterator[Step]:
    """Take a run back, a transaction at a time; who stops between two of them may go on with a new iterator.

    Args:
        run: its row.
    """
    with store.write() as conn:
        _lock(conn, run)
        job = jobs.of_run(conn, run.pk, run.app)
        if job is not None:
            jobs.end(conn, job.pk, jobs.BROKEN, "its run was undone")
        runs.close(conn, run.pk)
    while True:
        with store.write() as conn:
            _lock(conn, run)
            rows = runs.wrote(conn, run.pk, after=0, limit=CHUNK)
            labels.remove(conn, [r.pk for r in rows])
            reruns.unlabelled(conn, {r.input for r in rows})
        yield Step(len(rows), len(rows), 0, 0)
        if not rows:
            break
    while True:
        with store.write() as conn:
            _lock(conn, run)
            entries = runs.journal(conn, run.pk, after=0, limit=CHUNK)
            back, filled = _put_back(conn, run, entries)
        yield Step(len(entries), 0, back, filled)
        if not entries:
            break


def _lock(conn: Connection, run: Row[Any]) -> None:
    """Let what people say, what a re-run writes and what is put back here come one after the other."""
    app = apps.by_pk(conn, run.app)
    if app is not None:
        apps.get(conn, app.user_id, app.id, lock=True)


def _put_back(conn: Connection, run: Row[Any], entries: Sequence[Row[Any]]) -> tuple[int, int]:
    """Put a few of the journal's annotations back; returns how many, and how many a person's word keeps out."""
    over = runs.next_over(conn, run.pk, {e.input for e in entries})
    runs.hand_on_journal(conn, {e.pk: over[e.input] for e in entries if e.input in over})
    ours = [e for e in entries if e.input not in over]
    old = [labels.thaw(e.input, e.before) for e in ours]
    # What an undone run had written shall not come back this way.
    gone = runs.undone(conn, {row.run for row in old if row.run is not None})
    old = [row for row in old if row.run not in gone]
    back = _still_wanted(conn, old)
    # Undoing a verdict may have brought an annotation back under its id.
    taken = annotation_rows.keys(conn, run.app, [row.id for row in back])
    annotation_rows.add(conn, run.app, [row._replace(id="") if row.id in taken else row for row in back])
    reruns.unlabelled(conn, {e.input for e in ours})
    runs.forget_journal(conn, [e.pk for e in ours])
    return len(back), len(old) - len(back)


def _still_wanted(conn: Connection, rows: list[NewAnnotation]) -> list[NewAnnotation]:
    """Old labels less what people have said since, and less concepts that are no more."""
    if not rows:
        return []
    words, _ = standing(conn, sorted({r.input for r in rows}))
    names = concepts.by_pks(conn, {c.concept for r in rows for c in r.concepts})
    kept = []
    for row in rows:
        # The name carries the concept's number through, since one concept may stand in several regions.
        numbered = [
            (c.slot, Concept(id=names[c.concept].id, name=str(i)))
            for i, c in enumerate(row.concepts)
            if c.concept in names
        ]
        before = put_together(row.wire, numbered)
        data = allowed(before, words.get(row.input, ()))
        if data is before and len(numbered) == len(row.concepts):
            kept.append(row)
        elif data is not None and (numbered or not row.concepts):
            # Fewer regions may be left, so that the numbers of their places have changed.
            wire, found = take_apart(data)
            kept.append(
                row._replace(wire=wire, concepts=[row.concepts[int(f.name)]._replace(slot=f.slot) for f in found])
            )
    return kept

"""Taking a run back: what it wrote goes, what it replaced returns, what a person has touched since stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from clarifai_grpc.grpc.api.resources_pb2 import Concept
from sqlalchemy import Connection

from labelwright.annotator.commit import standing
from labelwright.annotator.labels import put_together, take_apart
from labelwright.annotator.precedence import allowed
from labelwright.errors import DoesNotExist
from labelwright.store import annotations as annotation_rows
from labelwright.store import concepts, jobs, labels, reruns, runs
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
    """Annotations of the run that a person has touched, or whose place a person has filled since."""


def undo(store: Store, run_id: str, progress: Callable[[int], None] = lambda _n: None) -> Undone:
    """Take a run back. Stopped half-way, a second call goes on where the first one was.

    Args:
        run_id: the run's id, or the beginning of it.
        progress: told how many annotations were dealt with, after each transaction.

    Raises:
        DoesNotExist: there is no such run, or more than one begins so.
    """
    with store.write() as conn:
        run = runs.get(conn, run_id)
        if run is None:
            raise DoesNotExist(f"there is no run {run_id!r}; `labelwright runs` lists them")
        job = jobs.of_run(conn, run.pk, run.app)
        if job is not None:
            jobs.end(conn, job.pk, jobs.BROKEN, "its run was undone")
        runs.close(conn, run.pk)
        wrote = run.wrote
    removed = restored = left_out = 0
    while True:
        with store.write() as conn:
            rows = runs.wrote(conn, run.pk, after=0, limit=CHUNK)
            labels.remove(conn, [r.pk for r in rows])
            reruns.unlabelled(conn, {r.input for r in rows})
        removed += len(rows)
        progress(len(rows))
        if not rows:
            break
    while True:
        with store.write() as conn:
            entries = runs.journal(conn, run.pk, after=0, limit=CHUNK)
            back = _still_wanted(conn, [labels.thaw(e.input, e.before) for e in entries])
            annotation_rows.add(conn, run.app, back)
            reruns.unlabelled(conn, {e.input for e in entries})
            runs.forget_journal(conn, [e.pk for e in entries])
        restored += len(back)
        left_out += len(entries) - len(back)
        progress(len(entries))
        if not entries:
            break
    return Undone(removed, restored, max(wrote - removed, 0) + left_out)


def _still_wanted(conn: Connection, rows: list[NewAnnotation]) -> list[NewAnnotation]:
    """Old labels less what people have said since."""
    if not rows:
        return []
    words, _ = standing(conn, sorted({r.input for r in rows}))
    names = concepts.by_pks(conn, {c.concept for r in rows for c in r.concepts})
    kept = []
    for row in rows:
        before = put_together(row.wire, [(c.slot, Concept(id=names[c.concept].id)) for c in row.concepts])
        data = allowed(before, words.get(row.input, ()))
        if data is before:
            kept.append(row)
        elif data is not None:
            # Fewer regions may be left, so that the numbers of their places have changed.
            wire, found = take_apart(data)
            of = {names[c.concept].id: c for c in row.concepts}
            kept.append(replace(row, wire=wire, concepts=[replace(of[f.concept_id], slot=f.slot) for f in found]))
    return kept

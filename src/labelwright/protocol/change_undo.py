"""What undoing makes of an annotation that a person patched, deleted or gave another status: pure functions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from labelwright.store import tables as t
from labelwright.store.history import DELETE
from labelwright.store.snapshots import Snapshot

CHANGED, DELETED = "it was changed since", "it was deleted since"
BY_PEOPLE = (CHANGED, DELETED)
"""Reasons that may name who it was."""


def why_not(
    row: Row[Any],
    before: Snapshot,
    now: Snapshot | None,
    *,
    later: bool,
    known: Collection[int],
    undone: Collection[int],
) -> str | None:
    """Why a change can't be undone; None where it can. What was done "since" is somebody's.

    Args:
        row: its entry in the history.
        before: the annotation as it was.
        now: as it stands; None where it is not there.
        later: people have done something to it since.
        known: keys of concepts that there are.
        undone: keys of runs that were taken back.
    """
    if row.result is None:
        return "it was made before changes could be undone"
    if row.kind != DELETE and now is None:
        return DELETED
    if gone := [c.id for c in before.concepts if c.concept not in known]:
        return f"the concept {gone[0]!r} was deleted since"
    # What a person had touched stays when its run goes, and so it may come back.
    if before.run in undone and not before.touched:
        return "the run that proposed it was taken back since"
    if later or not _stands(row, before, now):
        return CHANGED
    return None


def _stands(row: Row[Any], before: Snapshot, now: Snapshot | None) -> bool:
    """Whether all is as the change left it."""
    if row.kind == DELETE or now is None:
        return now is None
    if "digest" in row.result:
        return bool(row.result["digest"] == now.digest())
    origin = t.CONFIRMED if before.origin == t.MODEL else before.origin
    left = replace(before, status_code=row.result["status_code"], origin=origin, wire=now.wire)
    return left.digest() == now.digest()


def restored(row: Row[Any], before: Snapshot, now: Snapshot | None) -> Snapshot:
    """The annotation as it was before the change, under its own key; arguments as of `why_not`."""
    if now is None or "digest" in row.result:
        return before if now is None else replace(before, pk=now.pk)
    # Another status came to it and nothing else; the data is not in the history.
    return replace(now, status_code=before.status_code, origin=before.origin, touched=before.touched)

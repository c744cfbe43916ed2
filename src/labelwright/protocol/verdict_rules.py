"""What a verdict makes of an annotation, and what undoing it makes of what is there: pure functions."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from labelwright.protocol.places import only
from labelwright.protocol.resources.annotation_messages import AWAITING_REVIEW, SUCCESS
from labelwright.store import tables as t
from labelwright.store.history import FLAG, REJECT, RELABEL
from labelwright.store.snapshots import Held, Snapshot


class Named(NamedTuple):
    """A concept."""

    pk: int
    id: str


class Judged(NamedTuple):
    """What there is after a verdict."""

    rest: Snapshot | None
    """What still waits; None where nothing does."""
    made: Snapshot
    """The annotation that says what the person said."""


def judge(
    before: Snapshot, position: int, verdict: str, *, by: str, at: int, name: str, alone: bool, new: Named | None = None
) -> Judged:
    """Decide about one concept of an annotation.

    It moves into an annotation of its own in the same place; the only one that an annotation ever had is decided
    in it.

    Args:
        position: where a concept stands.
        by: the user who decides.
        at: the time, in microseconds since 1970.
        name: the id of the annotation that it moves into.
        alone: the annotation never had another concept, as far as verdicts know.
        new: of a relabelling, what it is instead.
    """
    held = before.at(position)
    if held is None:
        raise ValueError(f"annotation {before.id} has nothing at {position}")
    in_place = alone and len(before.concepts) == 1
    slot, wire = held.slot, before.wire
    if not in_place:
        wire, slot = only(before.wire, held.slot)
    value = {FLAG: held.value, REJECT: 0.0, RELABEL: 0.0}.get(verdict, 1.0)
    first = held.position if in_place else 0
    concepts = [held._replace(position=first, slot=slot, value=value)]
    if verdict == RELABEL and new is not None:
        concepts.append(Held(first + 1, slot, new.pk, new.id, 1.0, None))
    made = replace(
        before,
        pk=before.pk if in_place else 0,
        id=before.id if in_place else name,
        user_id=by,
        status_code=AWAITING_REVIEW if verdict == FLAG else SUCCESS,
        # What no model said stays the person's, or the import's.
        origin=t.CONFIRMED if _of_model(before) else before.origin,
        touched=True,
        wire=wire,
        created_at=before.created_at if in_place else at,
        concepts=tuple(concepts),
    )
    if in_place:
        return Judged(None, made)
    rest = before.less(position)
    return Judged(rest if rest.concepts else None, made)


def _of_model(s: Snapshot) -> bool:
    return s.origin == t.MODEL or bool(s.model_version_id) or s.run is not None


def put_back(now: Snapshot | None, before: Snapshot, held: Held, *, name: str) -> tuple[Snapshot, int]:
    """Let a concept wait again that a verdict had moved out of an annotation; and the position that it has then.

    It returns to where it was. Where its annotation went as the last concept left it, that returns with it; where
    it says or stands for something else by now, the concept waits in an annotation of its own.

    Args:
        now: the annotation as it stands; None where it is gone.
        before: as it stood before the verdict.
        held: the concept as it stood in it.
        name: the id of that annotation of its own.
    """
    if now is None:
        return replace(before, concepts=(held,)), held.position
    if (now.wire, now.status_code, now.input) != (before.wire, before.status_code, before.input):
        wire, slot = only(before.wire, held.slot)
        alone = replace(before, pk=0, id=name, wire=wire, concepts=(held._replace(position=0, slot=slot),))
        return alone, 0
    same = next((c for c in now.concepts if (c.slot, c.concept) == (held.slot, held.concept)), None)
    if same is not None:
        return now, same.position
    if now.at(held.position) is not None:
        held = held._replace(position=max(c.position for c in now.concepts) + 1)
    return now.more(held), held.position

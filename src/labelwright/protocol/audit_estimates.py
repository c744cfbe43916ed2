"""What audits say of the promises that thresholds made: live estimates, in alarm where a promise no longer holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from labelwright.store import audits, tunings
from labelwright.store.audits import Tally
from labelwright.training.audits import Answer, Promise, Standing, estimate, watch

CONFIDENCE = 0.95
"""Of the interval of a version that was promised nothing."""
HAIR = 1e-6
"""A threshold of 0.9 is 0.89999998 on the wire: what reaches it there reaches it here."""


class Target(NamedTuple):
    """What the thresholds that are in force were chosen for."""

    promise: Promise
    joint: bool
    """The promise is about all concepts of the version together; else about each."""
    thresholds: Mapping[str, float]
    """By concept; "" for the one of all."""
    at: int
    """When they were chosen, in microseconds since 1970."""

    def threshold(self, concept: str) -> float | None:
        return self.thresholds.get(concept, self.thresholds.get(""))


class Estimate(NamedTuple):
    """How one concept of one model version stands, or all of its concepts together."""

    standing: Standing
    target: Target | None
    drawn: int
    waiting: int
    untold: int
    below: int
    """Answers about labels whose score no longer reaches the threshold: none is written so any more."""


def targets(conn: Connection, app: int, versions: set[str]) -> dict[str, Target]:
    """Model version to what its thresholds were last chosen for; those that nobody tuned to a target are left out."""
    found = {}
    for version in sorted(versions):
        # A look that made nothing, and one that was undone, are not in force.
        made = [row for row in tunings.of_version(conn, app, version) if row.made is not None and row.undone_at is None]
        if made and (target := _target(made[-1])) is not None:
            found[version] = target
    return found


def _target(row: Row[Any]) -> Target | None:
    wanted = row.result.get("target") or row.params
    error, confidence = wanted.get("error"), wanted.get("confidence", 0.95)
    if not isinstance(error, int | float) or not 0 < error < 1 or not 0 < confidence < 1:
        # Chosen by hand: nothing was promised.
        return None
    limits = row.result.get("limits") or ()
    thresholds = {limit.get("concept") or "": float(limit["threshold"]) for limit in limits}
    promise = Promise(float(error), float(confidence))
    return Target(promise, bool(wanted.get("joint", True)), thresholds, row.created_at)


def estimates(tallies: Sequence[Tally], wanted: Mapping[str, Target]) -> list[Estimate]:
    """An estimate for each concept of each version, and for a version's concepts together where it has several.

    Only what its threshold, as it is now, would still label counts: the labels that an older and lower one let
    through say nothing of the promise that was made since.
    """
    answers: dict[str, list[Answer]] = {}
    promises: dict[tuple[str, str], Promise] = {}
    parts: dict[tuple[str, str], Tally] = {}
    below: dict[tuple[str, str], int] = {}
    for tally in tallies:
        version, concept = tally.model_version_id, tally.concept_id
        target = wanted.get(version)
        low = target.threshold(concept) if target is not None else None
        counted = [a for a in tally.answers if low is None or a.score is None or a.score >= low - HAIR]
        answers.setdefault(version, []).extend(Answer(concept, version, a.right, a.chance) for a in counted)
        parts[version, concept] = tally
        below[version, concept] = len(tally.answers) - len(counted)
        if target is not None:
            promises[version, "" if target.joint else concept] = target.promise
    known: dict[tuple[str, str], Standing] = {}
    for version, those in answers.items():
        # At its own confidence: what is said of a version is the same whichever others are looked at with it.
        confidence = wanted[version].promise.confidence if version in wanted else CONFIDENCE
        known |= {(s.version, s.concept): s for s in watch(those, promises, confidence=confidence)}
    found = []
    for version in sorted({version for version, _ in parts}):
        mine = {concept: tally for (v, concept), tally in parts.items() if v == version}
        target = wanted.get(version)
        for concept in sorted(mine) if len(mine) == 1 and not (target and target.joint) else ["", *sorted(mine)]:
            some = list(mine.values()) if concept == "" else [mine[concept]]
            standing = known.get((version, concept)) or _silent(concept, version)
            promised = target if target is not None and target.joint == (concept == "") else None
            found.append(
                Estimate(
                    standing,
                    promised,
                    sum(s.drawn for s in some),
                    sum(s.waiting for s in some),
                    sum(s.untold for s in some),
                    sum(below[version, s.concept_id] for s in some),
                )
            )
    return found


def _silent(concept: str, version: str) -> Standing:
    """Nobody has answered yet."""
    return Standing(concept, version, estimate([]), None, "", "")


def of_app(conn: Connection, app: int) -> list[Estimate]:
    """The estimates of an app."""
    tallies = audits.tallies(conn, app).get(app, [])
    return estimates(tallies, targets(conn, app, {tally.model_version_id for tally in tallies}))


def alarms(conn: Connection) -> int:
    """How many concepts and model versions are in alarm, in all apps together."""
    return sum(
        e.standing.alarm
        for app, tallies in audits.tallies(conn).items()
        for e in estimates(tallies, targets(conn, app, {tally.model_version_id for tally in tallies}))
    )

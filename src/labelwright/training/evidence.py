"""Which answers count as evidence about a model version's thresholds, and which do not, with the reason.

What a model would get wrong can only be told from claims that chance chose. A draw's items are in an order that chance
made too, and people answer them in that order: the answers up to the first one that is missing are a random sample of
the pool, however many they are. An answer behind a gap may be there because the item was easy, or because the review
queue asks about doubtful ones first; it counts once the gap before it is closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row

from labelwright.store import draws, trainings
from labelwright.store.draws import NewAnswer
from labelwright.training.claims import Claims, Ints, Subject, Words
from labelwright.training.tuning import Answers


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about a model version's claims, and how much of it may not be used."""

    verified: Answers
    """Answers to claims that were drawn from the pool that is still to be labelled."""
    audited: Answers
    """Answers to auto-labels that were drawn for an audit."""
    audited_from: Mapping[int, float]
    """Concept's number to the score from which on the audits saw its labels."""
    inputs: Ints
    """Keys of all inputs that were drawn and have an answer, usable or not."""
    waiting: int
    """Drawn to be verified, and not answered yet."""
    out_of_turn: int
    """Answered, but one that was drawn before them is not."""
    trained: int
    """Answered, but the version was trained on the input."""
    untold: int
    """Answered with "can't tell": they count as wrong."""
    not_drawn: int
    """Claims that people decided without their having been drawn: what people look at is what the model doubts."""

    def counts(self) -> dict[str, int]:
        """The numbers, by name."""
        names = ("waiting", "out_of_turn", "trained", "untold", "not_drawn")
        return {
            "verified": len(self.verified.scores),
            "audited": len(self.audited.scores),
            **{n: getattr(self, n) for n in names},
        }


def elsewhere(conn: Connection, of: Subject, said: Words) -> list[NewAnswer]:
    """The answers to drawn items that have none which people gave elsewhere, by what they said of the inputs."""
    found = []
    for item in draws.drawn(conn, of.app.pk, of.version.id, draws.VERIFY):
        if item.answer is not None or item.concept_id not in of.number:
            continue
        word = said.about(of, item.input, of.number[item.concept_id])
        if word is not None:
            right, by = word
            code = draws.RIGHT if right else draws.WRONG
            found.append(NewAnswer(item.pk, code, by))
    return found


def settle(conn: Connection, of: Subject, said: Words) -> int:
    """Take what people said elsewhere of drawn inputs as the answers; returns how many items that is about.

    In a transaction that writes.
    """
    found = elsewhere(conn, of, said)
    draws.answer_elsewhere(conn, found)
    return len(found)


def gather(conn: Connection, of: Subject, said: Words, claimed: Claims) -> Evidence:
    """Sort the answers to a version's draws into what counts and what does not.

    Args:
        claimed: all that the version claims, whoever has looked at it.
    """
    seen = set(trainings.seen(conn, of.version.pk))
    verified: list[Row[Any]] = []
    audited: list[Row[Any]] = []
    lowest: dict[tuple[int, int], float] = {}
    answered: set[int] = set()
    drawn: set[tuple[int, int]] = set()
    gaps: set[int] = set()
    waiting = out_of_turn = trained = untold = 0
    for item in draws.drawn(conn, of.app.pk, of.version.id):
        # A concept that the workflow no longer lets through has no threshold.
        number = of.number.get(item.concept_id)
        if number is None or item.score is None or item.kind == draws.TEACH:
            continue
        drawn.add((item.input, number))
        if item.kind == draws.AUDIT:
            lowest[item.draw, number] = min(lowest.get((item.draw, number), 1.0), item.score)
        if item.answer is not None:
            answered.add(item.input)
        if item.input in seen:
            trained += item.answer is not None
        elif item.answer is None:
            gaps.add(item.draw)
            waiting += item.kind == draws.VERIFY
        elif item.draw in gaps:
            out_of_turn += 1
        else:
            untold += item.answer == draws.UNTOLD
            (verified if item.kind == draws.VERIFY else audited).append(item)
    decided = claimed.those(said.settle(of, claimed))
    pairs = zip(decided.inputs.tolist(), decided.concepts.tolist(), strict=True)
    not_drawn = sum(pair not in drawn and pair[0] not in seen for pair in pairs)
    start: dict[int, float] = {}
    for (_, number), score in lowest.items():
        # The draw that looked least far down decides: below it the others saw more than their share.
        start[number] = max(start.get(number, 0.0), score)
    return Evidence(
        verified=_answers(of, verified),
        audited=_answers(of, audited),
        audited_from=start,
        inputs=np.array(sorted(answered), np.int64),
        waiting=waiting,
        out_of_turn=out_of_turn,
        trained=trained,
        untold=untold,
        not_drawn=not_drawn,
    )


def _answers(of: Subject, items: list[Row[Any]]) -> Answers:
    return Answers(
        scores=np.array([i.score for i in items], np.float64),
        right=np.array([i.answer == draws.RIGHT for i in items], bool),
        concepts=np.array([of.number[i.concept_id] for i in items], np.int64),
    )

"""What audited auto-labels say about the share of mistakes among all of them, and when they call for an alarm.

An audit draws auto-labels by chance and asks a person, blind. The answers of one concept and one model version make a
live estimate. Where labels were drawn with unequal chances each answer counts 1 / chance. An alarm is raised by a bet
that may be looked at after every answer (see anytime.py), so that watching all year long makes no false alarms.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelwright.training import anytime, bounds

Floats = npt.NDArray[np.float64]

HOLDS, UNSURE, DOUBTFUL, BROKEN = "holds", "unsure", "doubtful", "broken"
"""holds: the interval lies at or below the promise. unsure: it reaches above it, and the estimate does not.
doubtful: the estimate is above it too, which may be chance. broken: it is above it, and chance does not explain that.
"""


@dataclass(frozen=True)
class Answer:
    """A person's answer about one auto-label. Answers that can't tell right from wrong are left out before."""

    concept: str
    version: str
    """The model version that made the label."""
    right: bool
    chance: float = 1.0
    """How likely the label was to be drawn, above 0 and at most 1."""


@dataclass(frozen=True)
class Promise:
    """What was said about a model version's auto-labels when its thresholds were chosen."""

    error: float
    confidence: float = 0.95


@dataclass(frozen=True)
class Estimate:
    """The share of mistakes among the labels that the answers were drawn from."""

    answered: int
    wrong: int
    error: float
    """Weighted by 1 / chance; nan where nobody has answered."""
    low: float
    high: float
    """Where all chances are equal the exact (Clopper-Pearson) interval; else one that holds at any look."""


@dataclass(frozen=True)
class Standing:
    """How one concept of one model version stands, or all of its concepts together (concept "")."""

    concept: str
    version: str
    estimate: Estimate
    promise: Promise | None
    state: str
    """HOLDS, UNSURE, DOUBTFUL or BROKEN; "" where nothing was promised or nobody has answered."""
    reason: str
    """In words, for a log line or a page; "" where the state is HOLDS or ""."""

    @property
    def alarm(self) -> bool:
        return self.state == BROKEN


def estimate(right: npt.ArrayLike, chances: npt.ArrayLike | None = None, *, confidence: float = 0.95) -> Estimate:
    """The live estimate from answers: right (n,) of bools, chances (n,) above 0 and at most 1 (all equal if None)."""
    x = ~np.asarray(right, bool)
    n, wrong = x.size, int(x.sum())
    weights = _weights(x, chances)
    if not n:
        return Estimate(0, 0, math.nan, 0.0, 1.0)
    if weights is None:
        low, high = bounds.interval(wrong, n, confidence)
        return Estimate(n, wrong, wrong / n, low, high)
    side = 1 - (1 - confidence) / 2
    share = float((weights * x).sum() / weights.sum())
    # A bound by betting is only sure not to cross the truth; it must not cross the estimate either.
    low = min(anytime.weighted_lower_bound(x, weights, side), share)
    return Estimate(n, wrong, share, low, max(anytime.weighted_upper_bound(x, weights, side), share))


def standing(
    right: npt.ArrayLike,
    chances: npt.ArrayLike | None = None,
    *,
    promise: Promise | None,
    concept: str = "",
    version: str = "",
    confidence: float = 0.95,
    sharing: int = 1,
) -> Standing:
    """How the answers stand to a promise. `sharing` alarms share one risk of a false one, which is 1 - confidence."""
    found = estimate(right, chances, confidence=confidence)
    if promise is None or not found.answered:
        return Standing(concept, version, found, promise, "", "")
    x = ~np.asarray(right, bool)
    weights = _weights(x, chances)
    if weights is None:
        bet = float(anytime.evidence_above(found.wrong, found.answered, promise.error))
    else:
        bet = anytime.weighted_evidence_above(x, weights, promise.error)
    name = f'"{concept}"' if concept else "all concepts together"
    seen = (
        f"{name}, model version {version or 'unknown'}: {found.wrong} of {found.answered} audited auto-labels wrong, "
        f"an error of {found.error:.2%} ({found.low:.2%} to {found.high:.2%}) where at most {promise.error:.2%} "
        "was promised"
    )
    if bet >= math.log(sharing / (1 - confidence)):
        return Standing(concept, version, found, promise, BROKEN, f"{seen}; chance does not explain it.")
    if found.error > promise.error:
        return Standing(concept, version, found, promise, DOUBTFUL, f"{seen}; it may be chance, audit more.")
    if found.high > promise.error:
        return Standing(concept, version, found, promise, UNSURE, f"{seen}; too few answers to confirm it.")
    return Standing(concept, version, found, promise, HOLDS, "")


def watch(
    answers: Iterable[Answer],
    promises: Mapping[tuple[str, str], Promise],
    *,
    confidence: float = 0.95,
) -> list[Standing]:
    """All standings, by version and concept, each version's concepts together first.

    `promises` by (version, concept); (version, "") is the promise about all of a version's auto-labels together, as a
    joint threshold makes it. The alarms of one version share the risk of a false one.
    """
    by: dict[tuple[str, str], list[Answer]] = {}
    for answer in answers:
        by.setdefault((answer.version, ""), []).append(answer)
        by.setdefault((answer.version, answer.concept), []).append(answer)
    found = []
    for (version, concept), those in sorted(by.items()):
        sharing = sum(1 for key in by if key[0] == version and key in promises)
        found.append(
            standing(
                np.array([a.right for a in those], bool),
                np.array([a.chance for a in those], np.float64),
                promise=promises.get((version, concept)),
                concept=concept,
                version=version,
                confidence=confidence,
                sharing=max(sharing, 1),
            )
        )
    return found


def answers_needed(promised: float, actual: float, *, confidence: float = 0.95) -> int | None:
    """About how many audited labels it takes for an alarm, where the share of mistakes is `actual`; None: never."""
    if actual <= promised:
        return None
    wanted = -math.log1p(-confidence)

    def enough(n: int) -> bool:
        return float(anytime.evidence_above(min(round(actual * n), n), n, promised)) >= wanted

    return bounds.first(enough, 1, bounds.MOST)


def _weights(wrong: npt.NDArray[np.bool_], chances: npt.ArrayLike | None) -> Floats | None:
    """1 / chance; None where all are equal, so that each answer counts the same."""
    if wrong.ndim != 1:
        raise ValueError("answers are a list")
    if chances is None:
        return None
    chance = np.asarray(chances, np.float64)
    if chance.shape != wrong.shape:
        raise ValueError(f"one chance for each answer: {wrong.size} answers, {chance.shape} chances")
    if not ((chance > 0) & (chance <= 1)).all():
        raise ValueError("a chance is above 0 and at most 1")
    return None if not chance.size or np.all(chance == chance[0]) else 1 / chance

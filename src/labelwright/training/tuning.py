"""Choosing a model version's thresholds from answers: the decision alone, on arrays. No store, no clock, no chance.

`thresholds` has the test and what it promises; here it is asked about claims, one or several of an input, and its
answer becomes a number for each concept that a thresholder can hold.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from labelwright.training import thresholds
from labelwright.training.bounds import interval
from labelwright.training.thresholds import UNREACHABLE, Chosen

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NEVER = 2.0
"""As a threshold: above every score. Infinity is none that a thresholder holds."""

HALF = math.nextafter(0.5, 1)
"""Of concepts that exclude each other two may both reach a half, and no two more than it."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers to claims that chance chose: arrays of one length."""

    scores: Floats
    """How sure the model was, 0 to 1."""
    right: npt.NDArray[np.bool_]
    concepts: Ints
    """Number of the concept that was claimed."""

    def those(self, which: npt.NDArray[np.bool_]) -> Answers:
        """Some of them."""
        return Answers(self.scores[which], self.right[which], self.concepts[which])

    def and_also(self, more: Answers) -> Answers:
        """Both."""
        return Answers(
            np.concatenate([self.scores, more.scores]),
            np.concatenate([self.right, more.right]),
            np.concatenate([self.concepts, more.concepts]),
        )


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be reached: P(share of mistakes among the auto-labels > error) <= 1 - confidence."""

    error: float
    confidence: float
    joint: bool = True
    """One threshold and one promise for all concepts together; else one each."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Thresholds, and what supports them."""

    target: Target
    look: int
    limits: tuple[Chosen, ...]
    """One for all concepts (its group is None), or one for each; thresholds are exact float32, NEVER for none."""
    coverage: float
    """Share of the open claims, or of the inputs with exclusive concepts, that will be labelled."""
    coverage_low: float
    coverage_high: float

    def thresholds(self, concepts: Sequence[str]) -> dict[str, float]:
        """Concept id to threshold, for every concept of a subject; those without any evidence get NEVER."""
        own = {limit.group: limit.threshold for limit in self.limits}
        return {concept: own.get(None, own.get(i, NEVER)) for i, concept in enumerate(concepts)}

    def as_json(self, concepts: Sequence[str]) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "target": asdict(self.target),
            "look": self.look,
            "coverage": [self.coverage, self.coverage_low, self.coverage_high],
            "limits": [
                {**asdict(limit), "concept": None if limit.group is None else concepts[limit.group]}
                for limit in self.limits
            ],
        }


def decide(
    verified: Answers,
    pool_scores: npt.ArrayLike,
    pool_concepts: npt.ArrayLike,
    target: Target,
    *,
    exclusive: bool,
    look: int = 1,
    audited: Answers | None = None,
    audited_from: Mapping[int, float] | None = None,
) -> Decision:
    """Choose thresholds.

    Args:
        verified: answers to claims drawn at random from the pool.
        pool_scores, pool_concepts: (m,) the claims that are still to be decided, without those.
        exclusive: an input has one claim, and no more than one of its concepts is true.
        look: the number of this look at answers about the same model version, from 1: each look spends its part of
            the risk, and all looks together no more than 1 - confidence.
        audited: answers to auto-labels drawn at random.
        audited_from: concept's number to the score from which on the audits saw its labels. Above it audits and
            verification are samples of the same claims; below it audits have nothing to say. Where there are any,
            half of the risk goes to a test of both above, and half to one of the verified ones alone.

    Raises:
        ValueError: error or confidence is not within 0 to 1, or the arrays don't fit together.
    """
    pool = Answers(
        np.asarray(pool_scores, np.float64),
        np.ones(np.shape(pool_scores), bool),
        np.asarray(pool_concepts, np.int64),
    )
    if exclusive:
        # Chosen by the score alone, so what is left is still a random sample of what can be labelled.
        verified, audited = _above(verified, HALF), None if audited is None else _above(audited, HALF)
    everything = len(pool.scores)
    labelable = _above(pool, HALF) if exclusive else pool
    if audited is None or not len(audited.scores) or not audited_from:
        limits = _test(verified, labelable, target, target.confidence, look)
    else:
        half = 1 - (1 - target.confidence) / 2
        limits = _test(verified, labelable, target, half, look)
        start = dict(audited_from)
        if target.joint:
            start = dict.fromkeys(start, max(start.values()))
        both = _from(verified, start).and_also(_from(audited, start))
        limits = _better(limits, _test(both, _from(labelable, start), target, half, look))
    return _told(limits, labelable, everything, target, look)


def _above(some: Answers, low: float) -> Answers:
    return some.those(some.scores >= low)


def _from(some: Answers, start: Mapping[int, float]) -> Answers:
    """Those at or above where their concept starts; of a concept that doesn't start nothing."""
    lows = np.array([start.get(int(c), math.inf) for c in some.concepts])
    return some.those(some.scores >= lows)


def _test(verified: Answers, pool: Answers, target: Target, confidence: float, look: int) -> list[Chosen]:
    tuned = thresholds.tune(
        verified.scores,
        verified.right,
        error=target.error,
        confidence=confidence,
        pool_scores=pool.scores,
        groups=verified.concepts,
        pool_groups=pool.concepts,
        joint=target.joint,
        look=look,
    )
    return list(tuned.thresholds)


def _better(first: Sequence[Chosen], second: Sequence[Chosen]) -> list[Chosen]:
    """Of two valid choices for each group the one that labels more."""
    other = {limit.group: limit for limit in second}
    return [min((limit, other.get(limit.group, limit)), key=lambda c: c.threshold) for limit in first]


def _told(limits: Sequence[Chosen], pool: Answers, everything: int, target: Target, look: int) -> Decision:
    """The choice with coverages of the whole pool, and thresholds as the wire has them."""
    told, labelled = [], 0
    for limit in limits:
        # A concept that nobody verified anything of is told too: it is what has to be verified.
        mine = pool.scores if limit.group is None else pool.scores[pool.concepts == limit.group]
        size = everything if limit.group is None else len(mine)
        n = int((mine >= limit.threshold).sum())
        labelled += n
        low, high = interval(n, size, target.confidence) if size else (0.0, 1.0)
        told.append(
            replace(
                limit,
                threshold=float32_above(limit.threshold),
                coverage=n / size if size else 0.0,
                coverage_low=low,
                coverage_high=high,
                pool=size,
            )
        )
    low, high = interval(labelled, everything, target.confidence) if everything else (0.0, 1.0)
    return Decision(target, look, tuple(told), labelled / everything if everything else 0.0, low, high)


def float32_above(threshold: float) -> float:
    """The smallest float32 not below a threshold, as which the wire carries it; NEVER for infinity.

    Scores are float32 too, so that the same ones reach it.
    """
    if not math.isfinite(threshold):
        return NEVER
    near = np.float32(threshold)
    # As Python's numbers: NumPy would round the threshold to float32 before it compares.
    return float(near if float(near) >= threshold else np.nextafter(near, np.float32(np.inf)))


def fingerprint(target: Target, verified: Answers, audited: Answers, pool_scores: Floats, pool_concepts: Ints) -> str:
    """What tells whether two looks were at the same answers, pool and target: then it was one look."""
    digest = hashlib.sha256(repr(target).encode())
    for some in (verified, audited):
        for array in (some.scores, some.right, some.concepts):
            digest.update(array.tobytes() + b"|")
    digest.update(np.asarray(pool_scores, np.float64).tobytes() + b"|")
    digest.update(np.asarray(pool_concepts, np.int64).tobytes())
    return digest.hexdigest()[:32]


def verify_more(limit: Chosen) -> str:
    """What to do about a threshold that the answers can't support yet; "" where there is nothing to do."""
    if limit.more == 0:
        return ""
    if limit.more == UNREACHABLE:
        return "no number of answers short of all is enough: train it better, or allow more mistakes"
    return f"verify {limit.more} more"

"""The loop of learning and labelling: its steps and what follows what, what a round may ask, and what it leaves.

Values only: no store, no clock, no chance. `looper` does what is decided here.

Why the promise holds over rounds. Inputs that are drawn to be verified never train, and what is chosen for training is
chosen without a look at them, so each version is independent of their answers; those that would have been chosen are
no evidence any more. Each round spends its share of the risk. Auto-labels are those of one version over everything, or
a mixture whose share of mistakes is bounded by counting every label in which the two differ as a mistake.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from labelwright.errors import InvalidRequest
from labelwright.training.bounds import needed

RUNNING, DONE, STOPPED = "running", "done", "stopped"
"""The states of a loop."""

EMBED, SEED, WAIT, TRAIN, TRAINING, ROUTE, VERIFY, TUNE, APPLY, RERUN, RECORD, ASK = STEPS = (
    "embed",
    "seed",
    "wait",
    "train",
    "training",
    "route",
    "verify",
    "tune",
    "apply",
    "rerun",
    "record",
    "ask",
)
"""Steps: vectors for inputs without; inputs to begin with; people answer; queue a training; it runs; a way through the
workflow; claims to verify; thresholds; queue a re-run; it runs; the round's numbers; whom to ask next."""

ALL, REST, HELD, NONE, PEOPLE = "all", "rest", "held", "none", "people"
"""What a round's thresholds do to auto-labels: all are made anew; those that stand stay, and the rest is labelled; they
are not put to work; there are none; people labelled what was left, and no version was trained."""

FEWEST_MORE: Final = 10
"""Inputs that are asked about where the seed did not show enough of the concepts."""
AT_RANDOM, AT_RANDOM_UNPROVEN = 0.2, 0.5
"""The share of a batch that chance draws to verify, and where nothing could be promised yet."""
SPARE: Final = 1.5
"""So many times what the bound needs without a mistake are verified by default: a third may be below the threshold."""
MOST_ROUNDS: Final = 100


@dataclass(frozen=True, slots=True)
class Params:
    """What a loop is to do."""

    model: str
    concepts: tuple[str, ...] = ()
    """Ids; none: all that people use."""
    error: float = 0.01
    confidence: float = 0.95
    joint: bool = True
    seed_size: int = 100
    """Inputs that people label before the first training."""
    verify: int = 300
    """Claims that chance draws to be verified, for the first version."""
    batch: int = 100
    """Inputs that people are asked about in each later round."""
    budget: int = 0
    """Human labels in all; 0: no limit."""
    rounds: int = 5
    seed: int = 0
    """The same seed and answers give the same loop."""

    def to_json(self) -> dict[str, Any]:
        """As the store keeps it."""
        return {**asdict(self), "concepts": list(self.concepts)}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Params:
        """The inverse of `to_json`; what else is there is passed over."""
        known = {f.name: given[f.name] for f in fields(cls) if f.name in given}
        return cls(**{**known, "concepts": tuple(known.get("concepts", ()))})

    def check(self) -> None:
        """Refuse what can't be meant.

        Raises:
            InvalidRequest: says what is legal.
        """
        for name, low, high in (
            ("seed_size", 2, 100_000),
            ("verify", 1, 100_000),
            ("batch", 1, 100_000),
            ("budget", 0, 10**9),
            ("rounds", 1, MOST_ROUNDS),
        ):
            if not low <= getattr(self, name) <= high:
                raise InvalidRequest(f"{name} is {getattr(self, name)}; {low} to {high} are legal")
        if not 0 < self.error < 0.5:
            raise InvalidRequest(f"error is {self.error}; above 0 and below 0.5 is legal, such as 0.01")
        if not 0 < self.confidence < 1:
            raise InvalidRequest(f"confidence is {self.confidence}; above 0 and below 1 is legal, such as 0.95")
        if len(set(self.concepts)) < len(self.concepts) or "" in self.concepts:
            raise InvalidRequest("a concept is named twice, or has no id")

    @property
    def round_confidence(self) -> float:
        """What each round is sure of, so that all together are as sure as was asked for."""
        return 1 - (1 - self.confidence) / self.rounds


def enough_verified(error: float, confidence: float, rounds: int) -> int:
    """How many answers a round needs above its threshold, none of them a mistake, to promise an error."""
    # The first look at a version spends 6/π² of the round's risk: see `thresholds.tune`.
    return needed(error, 1 - (1 - confidence) / rounds * 6 / math.pi**2)


def verify_by_default(error: float, confidence: float, rounds: int) -> int:
    """How many claims are verified where nobody said how many."""
    return math.ceil(SPARE * enough_verified(error, confidence, rounds))


@dataclass(frozen=True, slots=True)
class Spent:
    """Human labels used, apart."""

    taught: int = 0
    """Answers to what was chosen for training."""
    verified: int = 0
    """Answers to what chance drew."""
    reviewed: int = 0
    """Inputs that people labelled meanwhile without the loop's asking."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.taught + self.verified + self.reviewed


def left(params: Params, spent: Spent) -> int:
    """How many human labels may still be asked for."""
    return max(params.budget - spent.total, 0) if params.budget else 10**9


def more_to_seed(params: Params, labelled: int, asked: int, enough: bool, budget: int) -> int:
    """How many more inputs are drawn to begin with; 0: none, go on.

    Args:
        labelled: inputs that people have labelled and that may train.
        asked: inputs that were drawn for it so far.
        enough: the concepts that they show are enough to train.
    """
    missing = params.seed_size - max(labelled, asked)
    if missing <= 0:
        missing = 0 if enough else max(FEWEST_MORE, params.seed_size // 4)
    return min(missing, budget)


def enough_shown(params: Params, shown: int) -> bool:
    """Whether what people said is enough to train: two concepts, or the only one that is wanted."""
    return shown >= (1 if len(params.concepts) == 1 else 2)


def parted(params: Params, budget: int, *, proven: bool, exclusive: bool) -> tuple[int, int]:
    """How many of the next batch are chosen to teach, and how many are drawn to verify.

    Args:
        budget: human labels left.
        proven: some version's thresholds have been put to work.
        exclusive: what is verified of one version tells about the next too.
    """
    size = min(params.batch, budget)
    if not exclusive:
        return size, 0
    verify = math.floor(size * (AT_RANDOM if proven else AT_RANDOM_UNPROVEN))
    return size - verify, verify


Pair = tuple[int, str]
"""An input's key, and the concept that it is labelled with."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of auto-labels, and what is promised of them then."""

    way: str
    """ALL, REST, HELD or NONE."""
    promise: float | None
    """The upper bound of the share of mistakes among the auto-labels that stand; None: nothing is promised."""


def outcome(
    standing: Set[Pair],
    new: Set[Pair],
    *,
    promise: float | None,
    bounds: Mapping[str | None, float],
    error: float,
) -> Outcome:
    """Whether a new version's labels take the place of those that stand.

    They do where its bound is better. Else the standing ones stay; the new version labels the rest where all of it
    together keeps within the error: its own mistakes, and each standing label that it would not give, at worst.

    Args:
        standing: the auto-labels that are there.
        new: those that the new version would give.
        promise: of the standing ones; None: nothing was promised.
        bounds: concept id to the new version's bound, or None to that of all together; empty: it may label nothing.
    """
    if not bounds:
        return Outcome(NONE, promise)
    bound = max(bounds.values())
    if promise is None or bound < promise or not standing:
        return Outcome(ALL, bound)
    taken = {pk for pk, _ in standing}
    union = standing | {pair for pair in new if pair[0] not in taken}
    worst = 0.0
    for concept, own in bounds.items():
        total = _of(union, concept)
        if total:
            differ = _of(standing - new, concept)
            worst = max(worst, (own * _of(new, concept) + differ) / total)
    if None not in bounds and {c for _, c in standing} - set(bounds):
        # A concept of which the new version promises nothing keeps what stands, and what was promised of it.
        worst = max(worst, promise)
    return Outcome(REST, max(worst, bound)) if worst <= error else Outcome(HELD, promise)


def _of(pairs: Set[Pair], concept: str | None) -> int:
    return len(pairs) if concept is None else sum(c == concept for _, c in pairs)


@dataclass(frozen=True, slots=True)
class Round:
    """One round's numbers, as they are stored, listed and drawn."""

    number: int
    version: str
    """The id of the model version that it trained."""
    trained: int
    """Inputs that it learned from."""
    taught: int
    verified: int
    reviewed: int
    """Human labels so far, apart: see `Spent`."""
    auto: int
    """Inputs that auto-labels stand on."""
    open: int
    """Inputs that nobody has labelled or was asked about."""
    pool: int
    """All inputs of the loop."""
    way: str
    """What became of auto-labels: see `outcome`."""
    bound: float | None
    """This version's upper bound of its share of mistakes; None: none."""
    promise: float | None
    """That of all auto-labels that stand; None: none."""
    thresholds: Mapping[str, float]
    """Concept id to threshold, of those that may label."""
    advice: str
    """What the thresholds lack."""
    tuning: str
    run: str
    """Ids, for taking it back; "" for none."""
    at: int
    """Microseconds."""

    def to_json(self) -> dict[str, Any]:
        """As the store keeps it."""
        return {**asdict(self), "thresholds": dict(self.thresholds)}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Round:
        """The inverse of `to_json`."""
        return cls(**{f.name: given[f.name] for f in fields(cls)})

    @property
    def people(self) -> int:
        """Human labels so far."""
        return self.taught + self.verified + self.reviewed

    def line(self) -> str:
        """One line that tells it."""
        told = {
            ALL: "labelled anew",
            REST: "the rest labelled",
            HELD: "not better, so what stands stays",
            PEOPLE: "people labelled what was left",
            NONE: "nothing can be promised yet" + (f" ({self.advice})" if self.advice else ""),
        }[self.way]
        promise = "" if self.promise is None else f", at most {100 * self.promise:.2f} % of them wrong"
        return (
            f"Round {self.number}: {self.people} human labels ({self.taught} taught, {self.verified} verified, "
            f"{self.reviewed} reviewed); {self.auto} of {self.pool} auto-labelled{promise}; {self.open} open; {told}."
        )


def ended(params: Params, last: Round, budget: int) -> str:
    """Why there is no further round; "" where there is."""
    if last.open == 0:
        return "everything is labelled"
    if budget <= 0:
        return f"the budget of {params.budget} human labels is spent"
    if last.number >= params.rounds:
        return f"all {params.rounds} rounds are played"
    return ""

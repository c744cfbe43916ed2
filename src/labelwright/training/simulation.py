"""The loop, played on a labelled set whose labels stand for the person: what it costs, and whether it keeps its word.

A run asks for a seed sample, then in rounds for what is least sure and differs, and learns from the answers. Then the
model stands still; items drawn by chance from all that is left are verified, and the thresholds tuned on them. What
reaches a threshold is auto-labelled; of the rest people review what is least sure, as far as the budget goes. The
truth of an item is looked at only where a person is asked about it, and once more at the end, to count mistakes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from labelwright.errors import ConfigurationError
from labelwright.training import rounds
from labelwright.training.bounds import finite_upper_bound, interval
from labelwright.training.data_sets import DataSet
from labelwright.training.heads import fit
from labelwright.training.propagation import Ground, prepare, spread
from labelwright.training.thresholds import tune

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Progress = Callable[[float, str], None]

GRAPH: Final = "graph"
HEAD: Final = "head"
LEARNERS: Final = (GRAPH, HEAD)
_CHANCE_FINDS_ALL: Final = 10
# Among ten items for each of ten concepts, one of these is missing in 1 of 4,000 draws.
_SURE: Final = 0.95
# Of the intervals that are shown, whatever confidence the guarantee has.


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run may ask of people, and what it promises."""

    error: float = 0.05
    """The share of mistakes that is allowed among auto-labels."""
    confidence: float = 0.95
    joint: bool = True
    """One promise about all auto-labels together; else one for each concept."""
    train: int = 300
    """Items that people label for training, the seed sample among them."""
    verify: int = 600
    """Items that people verify, drawn by chance once the model is fixed."""
    rounds: int = 4
    """In how many rounds the training items are asked for; 1: all of them drawn by chance."""
    budget: int | None = None
    """Human labels in all; what training and verification leave of it goes into review. None: no review, or with
    `final` as much as it takes."""
    final: float | None = None
    """The share of right labels wanted of the whole set, people's and auto-labels together. It takes the place of
    `error`; everything gets a label: what no promise covers is reviewed, least sure first, while the budget lasts."""
    learner: str = GRAPH
    """`graph`: labels spread over the whole set; `head`: the head that the server trains."""

    def check(self, items: int) -> None:
        """ConfigurationError where a number is not legal for a set of so many items."""
        wrong = None
        for name, share in (("error", self.error), ("confidence", self.confidence), ("final", self.final)):
            if share is not None and not 0 < share < 1:
                wrong = f"{name} is {share:g}; legal is a share above 0 and below 1"
        if self.train < 1 or self.verify < 1 or self.rounds < 1:
            wrong = "train, verify and rounds are 1 or more"
        elif self.train + self.verify >= items:
            wrong = f"{self.train} to train and {self.verify} to verify leave nothing of {items} items"
        elif self.budget is not None and self.budget < self.train + self.verify:
            wrong = f"the budget of {self.budget} labels is below {self.train} to train and {self.verify} to verify"
        elif self.learner not in LEARNERS:
            wrong = f"the learner is {self.learner!r}; legal are {', '.join(LEARNERS)}"
        if wrong:
            raise ConfigurationError(wrong)


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one run: numbers of items, and what the truth says of them."""

    seed: int
    items: int
    trained: int
    verified: int
    reviewed: int
    auto: int
    left: int
    """Without a label at the end: below the threshold, and beyond the budget."""
    unproven: int
    """Auto-labelled below the threshold since `final` wants a label of everything: beyond the promise."""
    wrong: int
    """Mistakes among the auto-labels, the unproven ones too."""
    error: float
    """The share of mistakes that was allowed among the auto-labels."""
    coverage: float
    """The share of what was neither trained nor verified that is auto-labelled under the promise."""
    broken: bool
    """Whether the auto-labels under the promise have a larger share of mistakes than allowed."""
    bound: float
    """The upper bound of the share of mistakes among the promised auto-labels; 1 where there are none."""
    bound_of_all: float
    """The upper bound of the share of wrong labels in the whole set, were everything auto-labelled: from the
    verification alone, whatever threshold was found."""
    model_right: float
    """The share of what was not trained that the model names rightly, at any score."""

    @property
    def people(self) -> int:
        """Human labels in all."""
        return self.trained + self.verified + self.reviewed

    @property
    def final(self) -> float:
        """The share of right labels among all that have one, people's being right."""
        return 1 - self.wrong / (self.people + self.auto + self.unproven)

    @property
    def true_error(self) -> float | None:
        """The share of mistakes among the auto-labels; None where there are none."""
        labelled = self.auto + self.unproven
        return self.wrong / labelled if labelled else None


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """What a model says of every row."""

    named: Ints
    """(n,) the concept."""
    sure: NDArray[np.float64]
    """(n,) how sure of it, 0..1."""


Learner = Callable[[Ints, Ints], Opinion]
"""From rows and their labels to an opinion on all rows."""


Watch = Callable[[Ints, Opinion], None]
"""Called after each round with the rows that people labelled so far, and what the model says then."""


def learner(data: DataSet, plan: Plan, *, seed: int = 0, progress: Progress | None = None) -> Learner:
    """The learner that the plan names, made ready for the set once for all runs."""
    if plan.learner == GRAPH:
        return _graph_learner(prepare(data.vectors, seed=seed, progress=progress), len(data.concepts))
    return _head_learner(data.vectors, len(data.concepts), plan.error, seed)


def _graph_learner(ground: Ground, concepts: int) -> Learner:
    def learn(rows: Ints, labels: Ints) -> Opinion:
        scores = spread(ground, rows, labels, concepts)
        # Thresholds are looked for as if 1 - sure were the chance of a mistake. The margin by itself doubts 8 to 20
        # times too much on digits and MNIST; so it is within 3 of the truth there. The order, all that the promise
        # rests on, is the same.
        doubt = (1 - rounds.sureness(scores).astype(np.float64)) ** 3
        return Opinion(scores.argmax(axis=1), 1 - doubt)

    return learn


def _head_learner(vectors: Floats, concepts: int, error: float, seed: int) -> Learner:
    def learn(rows: Ints, labels: Ints) -> Opinion:
        known = np.eye(concepts, dtype=np.float32)[labels]
        scores = fit(vectors[rows], known, exclusive=True, error=error, seed=seed).head.scores(vectors)
        return Opinion(scores.argmax(axis=1), scores.max(axis=1).astype(np.float64))

    return learn


def train(
    data: DataSet, plan: Plan, learn: Learner, rng: np.random.Generator, tell: Progress, watch: Watch | None = None
) -> tuple[Ints, Opinion]:
    """The rows that people were asked to label for training, and the opinion of the model that learned from them."""
    everything = np.arange(len(data.labels))
    first, *later = rounds.shares(plan.train, plan.rounds)
    if plan.rounds > 1 and first < _CHANCE_FINDS_ALL * len(data.concepts):
        known = rounds.typical(everything, data.vectors, first, rng)
    else:
        known = rounds.seed_sample(everything, first, rng)
    opinion = learn(known, data.labels[known])
    for number, count in enumerate(later, 2):
        if watch is not None:
            watch(known, opinion)
        tell((number - 1) / plan.rounds, f"round {number} of {plan.rounds}")
        pool = np.setdiff1d(everything, known)
        more = rounds.ask(pool, opinion.sure, data.vectors, train=count, verify=0, rng=rng).informative
        known = np.concatenate([known, more])
        opinion = learn(known, data.labels[known])
    if watch is not None:
        watch(known, opinion)
    return known, opinion


@dataclass(frozen=True, slots=True, eq=False)
class Stand:
    """A run whose model is fixed and whose verification is done: what a threshold is chosen from."""

    known: Ints
    """Rows that people labelled for training."""
    opinion: Opinion
    verified: Ints
    """Rows drawn by chance from the others."""
    right: NDArray[np.bool_]
    """Whether the model was right about each of the verified."""
    pool: Ints
    """All other rows."""


def stand(data: DataSet, plan: Plan, learn: Learner, seed: int, progress: Progress | None = None) -> Stand:
    """Play a run up to where a threshold is chosen.

    Raises:
        ConfigurationError: the plan does not fit the set.
    """
    n = len(data.labels)
    plan.check(n)
    rng = np.random.default_rng(seed)
    known, opinion = train(data, plan, learn, rng, progress or (lambda _share, _what: None))
    untouched = np.setdiff1d(np.arange(n), known)
    verified = rounds.seed_sample(untouched, plan.verify, rng)
    right = np.asarray(opinion.named[verified] == data.labels[verified])
    return Stand(known, opinion, verified, right, np.setdiff1d(untouched, verified))


def play(data: DataSet, plan: Plan, learn: Learner, seed: int, progress: Progress | None = None) -> Played:
    """Play the loop once.

    Raises:
        ConfigurationError: the plan does not fit the set.
    """
    n = len(data.labels)
    at = stand(data, plan, learn, seed, progress)
    opinion, verified, pool = at.opinion, at.verified, at.pool
    # Everything that a person verified is right, so that the rest may have this share of mistakes.
    error = plan.error if plan.final is None else min((1 - plan.final) * n / len(pool), 0.999)
    tuning = tune(
        opinion.sure[verified],
        at.right,
        error=error,
        confidence=plan.confidence,
        pool_scores=opinion.sure[pool],
        groups=opinion.named[verified],
        pool_groups=opinion.named[pool],
        joint=plan.joint,
    )
    threshold = np.full(len(data.concepts), math.inf)
    for chosen in tuning.thresholds:
        threshold[slice(None) if chosen.group is None else chosen.group] = chosen.threshold
    labelled = opinion.sure[pool] >= threshold[opinion.named[pool]]
    auto, below = pool[labelled], pool[~labelled]
    below = below[np.argsort(opinion.sure[below], kind="stable")]
    reviewed, rest = np.split(below, [min(_reviews(plan), len(below))])
    unproven = rest if plan.final is not None else rest[:0]
    mistaken = opinion.named != data.labels
    wrong = int(mistaken[auto].sum())
    whole = finite_upper_bound(int((~at.right).sum()), len(verified), len(pool), plan.confidence)
    return Played(
        seed=seed,
        items=n,
        trained=len(at.known),
        verified=len(verified),
        reviewed=len(reviewed),
        auto=len(auto),
        left=len(rest) - len(unproven),
        unproven=len(unproven),
        wrong=wrong + int(mistaken[unproven].sum()),
        error=error,
        coverage=len(auto) / len(pool),
        broken=_broken(opinion.named[auto], mistaken[auto], error, plan.joint),
        bound=max((c.bound for c in tuning.thresholds if math.isfinite(c.threshold)), default=1.0),
        bound_of_all=whole * len(pool) / n,
        model_right=1 - float(mistaken[np.concatenate([verified, pool])].mean()),
    )


def _reviews(plan: Plan) -> int:
    """How many items people can review."""
    if plan.budget is not None:
        return plan.budget - plan.train - plan.verify
    return 0 if plan.final is None else 10**12


def _broken(named: Ints, mistaken: NDArray[np.bool_], error: float, joint: bool) -> bool:
    """Whether more of the auto-labels are wrong than was promised, in all or for some concept."""
    if len(named) == 0:
        return False
    if joint:
        return float(mistaken.mean()) > error
    wrong, total = np.bincount(named, mistaken), np.bincount(named)
    return bool((wrong > error * total).any())


def summary(data: DataSet, plan: Plan, played: Sequence[Played]) -> dict[str, Any]:
    """All runs of a plan as plain JSON: means, the worst, and how often the promise was broken."""
    from scipy.stats import binom

    def mean(of: Callable[[Played], float]) -> float:
        return float(np.mean([of(p) for p in played]))

    seeds = len(played)
    broken = sum(p.broken for p in played)
    wrong, labelled = sum(p.wrong for p in played), sum(p.auto + p.unproven for p in played)
    per_run = round(labelled / seeds)
    low, high = interval(round(wrong / seeds), per_run, _SURE) if per_run else (0.0, 1.0)
    errors = [p.true_error for p in played if p.true_error is not None]
    worst_final = min(p.final for p in played)
    return {
        "data": data.name,
        "items": len(data.labels),
        "concepts": len(data.concepts),
        "left_out": data.left_out,
        "plan": asdict(plan),
        "seeds": seeds,
        "human": {
            "training": mean(lambda p: p.trained),
            "verification": mean(lambda p: p.verified),
            "review": mean(lambda p: p.reviewed),
            "all": mean(lambda p: p.people),
        },
        "auto_labelled": mean(lambda p: p.auto),
        "unproven": mean(lambda p: p.unproven),
        "left": mean(lambda p: p.left),
        "coverage": mean(lambda p: p.coverage),
        "coverage_lowest": min(p.coverage for p in played),
        "true_error": wrong / labelled if labelled else None,
        "true_error_interval": [low, high],
        "true_error_highest": max(errors, default=None),
        "broken": broken,
        # Of runs that break their promise with a chance of exactly 1 - confidence, 99 % break it no oftener.
        "broken_within_chance": int(binom.ppf(0.99, seeds, 1 - plan.confidence)),
        "reduction": mean(lambda p: p.items / p.people),
        "reduction_when_done": mean(lambda p: p.items / (p.people + p.left)),
        "final_right": mean(lambda p: p.final),
        "final_right_lowest": worst_final,
        "final_reached": None if plan.final is None else sum(p.final >= plan.final for p in played),
        "model_right": mean(lambda p: p.model_right),
        "bound_of_all": mean(lambda p: p.bound_of_all),
        "runs": [{**asdict(p), "people": p.people, "final_right": p.final, "true_error": p.true_error} for p in played],
    }

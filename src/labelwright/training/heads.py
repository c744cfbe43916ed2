"""Fitting a head to labels: several kinds are tried, and the one with the best confidence stays."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labelwright.errors import ModelInvalidArgument, TrainingNoData, TrainingNoPositives
from labelwright.operators.head_parts import Doubles, Part
from labelwright.operators.heads import ENSEMBLE, Head, combine, drawn_in, likelihoods
from labelwright.training import examples, kernels, linear, neighbours
from labelwright.training.calibration import calibrate, loss, scaled, sharpen
from labelwright.training.columns import Columns, columns_of, widened
from labelwright.training.confidence import rank
from labelwright.training.folds import folds
from labelwright.training.problems import Candidate, Floats, Problem, sample

KINDS = ("linear", "kernel", "neighbours")
Progress = Callable[[float, str], None]

_FIT: dict[str, Callable[[Problem, Callable[[float], None]], Candidate]] = {
    "linear": linear.fit,
    "kernel": kernels.fit,
    "neighbours": neighbours.fit,
}
_MOST_ROWS = 20_000
"""Rows that are fitted to; of more a sample, each class with its share."""
_COMPARED = 5000
# Rows on which the kinds are compared. All three on 20,000 of 512 dimensions and 20 classes took 20 s of CPU, and what
# wins among 5,000 wins among more.
_FEW = 150
"""Rows below which what was fitted to counts in calibration too, see `calibrate`."""
_ERRORS = 2.0
"""Standard errors of coverage within which it decides nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A head, how it was chosen, and what it said of rows that it had not seen."""

    head: Head
    report: dict[str, Any]
    """Plain JSON: for each kind its cross-validated accuracy, coverage at the error target and seconds; which was
    chosen, and why."""
    out_of_fold: Floats
    """(n, c) the cross-validated scores of the chosen kind."""


@dataclass(frozen=True, slots=True, eq=False)
class _Tried:
    """A kind with its calibrated scores of held-out rows."""

    kind: str
    parts: tuple[Part, ...]
    scores: Doubles
    """As calibrated, for an average."""
    held_out: Doubles
    """As the head gives them."""
    coverage: float
    loss: float
    report: dict[str, Any]
    sharpness: float = 1.0


def fit(
    vectors: Floats,
    labels: Floats,
    *,
    exclusive: bool,
    error: float = 0.01,
    kinds: Sequence[str] = KINDS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Fitted:
    """Fit each kind with cross-validation, and keep the one by whose confidence the most could be labelled.

    Coverage at the error target decides; where two differ by less than the noise in it, the logarithmic loss does.
    An average of several kinds takes part too.

    Args:
        vectors: float32 (n, d), finite.
        labels: float32 (n, c): 1 the row shows the concept, 0 it does not, nan nobody said.
        exclusive: at most one concept is true of a row. Rows that show none of them (0 throughout) are a class of
            their own that is not scored; rows of which that is not known train nothing.
        error: the share of mistakes at which coverage is compared, above 0 and below 1.
        kinds: which to try, of `KINDS`.
        progress: is told the share done, 0 to 1, and what is being done. What it raises ends the fit.

    Returns:
        The head, with concepts in the order of the labels' columns. A concept without a positive example scores 0
        (and is named in the report), one without a negative one is scored by how near its examples are.

    Raises:
        TrainingNoData: there are no rows, or no labels in them.
        TrainingNoPositives: no concept has a positive example.
        ModelInvalidArgument: the arrays have other shapes or values than these, or a kind is unknown.
    """
    x, y = _checked(vectors, labels, error, kinds)
    from threadpoolctl import threadpool_limits

    tell = progress or (lambda _share, _what: None)
    # One thread: sums come out the same each time, and labelling keeps the other cores.
    with threadpool_limits(1):
        return _fit(x, y, exclusive, error, tuple(k for k in KINDS if k in kinds), seed, tell)


def _checked(vectors: Floats, labels: Floats, error: float, kinds: Sequence[str]) -> tuple[Floats, Floats]:
    x, y = np.asarray(vectors, np.float32), np.asarray(labels, np.float32)
    if y.ndim != 2 or x.ndim != 2 or len(x) != len(y):
        raise ModelInvalidArgument(f"found vectors {x.shape} and labels {y.shape}; legal is (n, d) and (n, c)")
    if not y.size or not x.size or np.isnan(y).all():
        raise TrainingNoData("no input that has an embedding has a label of any of the concepts; label some")
    if not np.isin(y[~np.isnan(y)], (0, 1)).all() or not np.isfinite(x).all():
        raise ModelInvalidArgument("found labels other than 1, 0 and nan, or embeddings that are not finite")
    if not 0 < error < 1 or not kinds or not set(kinds) <= set(KINDS):
        raise ModelInvalidArgument(
            f"found error {error} and kinds {list(kinds)}; legal is an error above 0 and below 1, and of the kinds "
            f"{', '.join(KINDS)} at least one"
        )
    if not (y > 0).any():
        raise TrainingNoPositives("no concept has a positive example; label an input with a concept that it shows")
    return x, y


def _fit(
    x: Floats, y: Floats, exclusive: bool, error: float, kinds: tuple[str, ...], seed: int, tell: Progress
) -> Fitted:
    columns = columns_of(y, exclusive)
    n, c = y.shape
    report: dict[str, Any] = {
        "error": error,
        "exclusive": exclusive,
        "rows": n,
        "positives": [int(p) for p in (y > 0).sum(axis=0)],
        "negatives": [int(p) for p in (y == 0).sum(axis=0)],
        "unseen": sorted(columns.unseen),
        "only_examples": columns.alone.tolist(),
        "kinds": {},
        "winner": "examples",
        "why": "there are examples alone, and nothing that they are not: similarity to them is all there is",
    }
    part, scores = None, np.zeros((n, c))
    if len(columns.alone):
        part, near = examples.fit(x, y, columns.alone, seed)
        scores = np.where(np.isnan(near), scores, near)
    best: _Tried | None = None
    used, proven = columns.rows, 1.0
    if len(columns.told):
        problem, used = _problem(x, columns, exclusive, seed)
        report["rows_used"], proven = len(used), _proven(problem)
        best, tried = _chosen(problem, kinds, columns, error, tell)
        report |= tried
    head = Head(
        concepts=c,
        exclusive=exclusive,
        dimensions=x.shape[1],
        parts=tuple(widened(p, columns, c) for p in best.parts) if best else (),
        sharpness=best.sharpness if best else 1.0,
        proven=proven,
        examples=part,
        unseen=columns.unseen,
    )
    if best is not None:
        told = columns.told[columns.told < c]
        # Rows that were not fitted to are held out as they are.
        if len(used) < n:
            scores[:, told] = head.scores(x)[:, told]
        scores[np.ix_(used, told)] = best.held_out[:, : len(told)]
    tell(1.0, f"chosen: {report['winner']}")
    return Fitted(head, report, np.clip(scores, 0, 1).astype(np.float32))


def _problem(x: Floats, columns: Columns, exclusive: bool, seed: int) -> tuple[Problem, Any]:
    rows = columns.rows
    whole = Problem(
        x[rows],
        columns.targets,
        columns.known,
        exclusive,
        folds(columns.targets.argmax(axis=1) if exclusive else columns.strata(), seed),
        seed,
    )
    kept = sample(whole, _MOST_ROWS)
    return (whole, rows) if len(kept) == len(rows) else (whole.subset(kept), rows[kept])


def _proven(problem: Problem) -> float:
    return float(np.log(len(problem.vectors) + 2))


def _chosen(
    problem: Problem, kinds: tuple[str, ...], columns: Columns, error: float, tell: Progress
) -> tuple[_Tried, dict[str, Any]]:
    """The best kind: of many rows chosen on some of them, and then fitted to all."""
    if len(problem.vectors) <= _COMPARED or len(kinds) == 1:
        return _compare(problem, kinds, columns, error, tell)
    some = problem.subset(sample(problem, _COMPARED))
    first, tried = _compare(some, kinds, columns, error, lambda share, what: tell(share / 2, what))
    winners = kinds if first.kind == ENSEMBLE else (first.kind,)
    best, told = _compare(problem, winners, columns, error, lambda share, what: tell((1 + share) / 2, what))
    return best, {
        "kinds": tried["kinds"] | told["kinds"],
        "winner": told["winner"],
        "why": f"{tried['why']}, of {_COMPARED} rows" if len(winners) == 1 else told["why"],
    }


def _compare(
    problem: Problem, kinds: tuple[str, ...], columns: Columns, error: float, tell: Progress
) -> tuple[_Tried, dict[str, Any]]:
    tried: list[_Tried] = []
    reports: dict[str, Any] = {}
    for i, kind in enumerate(kinds):
        started = time.perf_counter()

        def share(done: float, i: int = i, kind: str = kind) -> None:
            tell((i + done) / len(kinds) * 0.98, f"fitting: {kind}")

        share(0.0)
        try:
            candidate = _FIT[kind](problem, share)
        except kernels.Skipped as e:
            reports[kind] = {"skipped": str(e)}
            continue
        found = _calibrated(kind, candidate, problem, columns, error)
        found.report["seconds"] = round(time.perf_counter() - started, 3)
        tried.append(found)
        reports[kind] = found.report
    if not tried:
        # The only kind that was asked for is too slow for this.
        return _compare(problem, ("linear",), columns, error, tell)
    if len(tried) > 1:
        tried.append(_average(tried, problem, columns, error))
        reports[ENSEMBLE] = tried[-1].report
    best = tried[0]
    why = "it is the only kind that was tried"
    for other in tried[1:]:
        best, why = _better(best, other, len(problem.vectors))
    return best, {"kinds": reports, "winner": best.kind, "why": why}


def _calibrated(kind: str, candidate: Candidate, problem: Problem, columns: Columns, error: float) -> _Tried:
    seen = candidate.part.logits(problem.vectors) if len(problem.vectors) < _FEW else None
    slope, bias = calibrate(candidate.held_out, problem.targets, problem.known, problem.exclusive, seen)
    scores = likelihoods(candidate.held_out * slope + bias, problem.exclusive)
    return _judged(kind, (scaled(candidate.part, slope, bias),), scores, problem, columns, error, candidate.about)


def _average(tried: list[_Tried], problem: Problem, columns: Columns, error: float) -> _Tried:
    each = [t.scores for t in tried]
    sharpness = sharpen(each, problem.targets, problem.known, problem.exclusive)
    scores = combine(each, sharpness, problem.exclusive)
    parts = tuple(p for t in tried for p in t.parts)
    found = _judged(ENSEMBLE, parts, scores, problem, columns, error, {"of": [t.kind for t in tried]})
    return replace(found, sharpness=sharpness)


def _judged(
    kind: str,
    parts: tuple[Part, ...],
    scores: Doubles,
    problem: Problem,
    columns: Columns,
    error: float,
    about: dict[str, Any],
) -> _Tried:
    concepts = len(columns.told) - columns.other
    held_out = drawn_in(scores, _proven(problem), problem.exclusive)
    ranked = rank(held_out, problem.targets, problem.known, problem.exclusive, concepts)
    coverage = ranked.coverage(error)
    lost = loss(scores, problem.targets, problem.known, problem.exclusive)
    right = ranked.accuracy
    if not problem.exclusive:
        right = float(((scores >= 0.5) == (problem.targets > 0))[problem.known].mean())
    report = about | {"accuracy": round(right, 4), "coverage": round(coverage, 4), "log_loss": round(lost, 4)}
    return _Tried(kind, parts, scores, held_out, coverage, lost, report)


def _better(best: _Tried, other: _Tried, rows: int) -> tuple[_Tried, str]:
    """Which of two stays, and why."""
    middle = (best.coverage + other.coverage) / 2
    noise = _ERRORS * float(np.sqrt(max(middle * (1 - middle), 1 / (rows + 1)) / rows))
    if abs(best.coverage - other.coverage) > noise:
        one, two = (best, other) if best.coverage > other.coverage else (other, best)
        return one, f"it covers {one.coverage:.3f} at the error target, {two.kind} {two.coverage:.3f}"
    one, two = (best, other) if best.loss <= other.loss or other.kind == ENSEMBLE else (other, best)
    said = (
        f"its coverage at the error target ({one.coverage:.3f}) and that of {two.kind} ({two.coverage:.3f}) differ by "
        f"no more than noise"
    )
    if other.kind == ENSEMBLE:
        # 300 digits: averages that won by chance covered half a point less at 1 % error than the kernel machine alone.
        return one, f"{said}, and one kind is simpler than an average of several"
    return one, f"{said}, and its loss is {one.loss:.4f}, the other's {two.loss:.4f}"

"""How good scores are, measured against labels: pure, on arrays, for exclusive concepts and for any number at once.

What nobody has labelled is left out, never taken for wrong. What can't be said (an area under the ROC curve without
negatives) is None, not a number that looks like one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labelwright.training import curves
from labelwright.training.curves import Bin, Bools, Curve, Floats

THRESHOLD = 0.5
"""From which score on a concept counts as said, where an input may show several or there is one alone."""

GRID = np.arange(101) / 100
"""The thresholds at which API clients look into curves: they round to two places and want the same for each concept."""

MISTAKES = 200
"""Mistakes that are kept, the most confident ones."""

EXAMPLES = 1000
"""Inputs of which scores and labels are kept, the worst ones first."""

SHOWN = 20
"""Concepts that are kept of such an input, the highest scores first."""


@dataclass(frozen=True, slots=True)
class ConceptResult:
    """One concept against all inputs that are labelled with it or its contrary."""

    id: str
    positives: int
    negatives: int
    hits: int
    alarms: int
    """Said of inputs that do not show it."""
    precision: float | None
    """None where it was never said of a labelled input."""
    recall: float | None
    """None where no input shows it."""
    f1: float | None
    """None where no input shows it."""
    roc_auc: float | None
    average_precision: float | None
    calibration_error: float | None
    bins: list[Bin]
    precision_recall: Curve | None
    """Recall (x) and precision (y)."""
    roc: Curve | None
    """False alarms (x) and hits (y), as shares."""
    grid_hits: Floats
    """(101,) hits at the thresholds of `GRID`, as counts."""
    grid_alarms: Floats
    """(101,) false alarms, likewise."""


@dataclass(frozen=True, slots=True)
class Summary:
    """All concepts together. Macro: the mean over concepts, each counted alike; micro: over all decisions."""

    inputs: int
    """Inputs with at least one label."""
    accuracy: float | None
    """The share of right decisions: one an input where concepts are exclusive, else one a labelled concept."""
    top1: float | None
    """The share of inputs whose highest score is right; None for one concept."""
    top5: float | None
    macro_roc_auc: float | None
    macro_roc_auc_std: float | None
    macro_f1: float | None
    macro_f1_std: float | None
    macro_precision: float | None
    macro_recall: float | None
    micro_precision: float | None
    micro_recall: float | None
    micro_f1: float | None
    calibration_error: float | None
    """Of the decisions where concepts are exclusive, else of all scores with a label."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A decision that the labels contradict."""

    row: int
    said: int | None
    """The concept that was said and is not there; None: one was missed."""
    missed: int | None
    """The concept that is there and was not said; None: there is none, or nobody said which."""
    score: float
    """Of the concept said, or of the one missed."""
    wrong: float
    """How far the score is from the truth, 0..1."""


@dataclass(frozen=True, slots=True)
class Example:
    """An input with its scores and labels."""

    row: int
    scores: list[tuple[int, float]]
    """The highest: concept and score."""
    labels: list[tuple[int, int]]
    """Concept and 1 or 0, those that it shows first."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that was measured."""

    exclusive: bool
    concepts: list[ConceptResult]
    summary: Summary
    bins: list[Bin]
    confusion: npt.NDArray[np.int64]
    """(c, c): row the concept that an input shows, column the one that was said. Off the diagonal only what the input
    is known not to show: two concepts that are both there are not confused."""
    cooccurrence: npt.NDArray[np.int64]
    """(c, c): inputs labelled with both; on the diagonal with the one."""
    mistakes: list[Mistake]
    """The most confident first."""
    examples: list[Example]
    """The worst first."""


def evaluate(
    scores: npt.NDArray[Any], labels: npt.NDArray[Any], concepts: Sequence[str], *, exclusive: bool
) -> Evaluation:
    """Measure scores against labels.

    Args:
        scores: (n, c), 0..1; nan counts as 0.
        labels: (n, c): 1 the input shows the concept, 0 it does not, nan nobody said.
        concepts: c ids.
        exclusive: an input shows one of the concepts: the highest score is what is said, and a label of one is a label
            against the others. Where there is one concept alone it is decided at `THRESHOLD`, as without.

    Raises:
        ValueError: the shapes do not fit together.
    """
    if scores.shape != labels.shape or scores.shape[1:] != (len(concepts),):
        raise ValueError(f"scores {scores.shape}, labels {labels.shape} and {len(concepts)} concepts do not fit")
    one_of_many = exclusive and len(concepts) > 1
    # Seven places are what single precision holds: its 0.9 is 0.89999998, and would fall short of 0.9.
    values = np.nan_to_num(scores.astype(np.float64), nan=0.0).clip(0.0, 1.0).round(7)
    yes, no = labels == 1, labels == 0
    if one_of_many:
        no |= np.isnan(labels) & yes.any(1)[:, None]
    said = np.zeros(values.shape, bool)
    if one_of_many and len(values):
        said[np.arange(len(values)), values.argmax(1)] = True
    elif not one_of_many:
        said = values >= THRESHOLD
    # By concept, each in one piece: of 500 concepts the numbers of one would lie 4 KB apart.
    columns = (np.ascontiguousarray(of.T) for of in (values, yes, no, said))
    results = [_concept(id_, *column) for id_, *column in zip(concepts, *columns, strict=True)]
    known = said & (yes | no) if one_of_many else yes | no
    bins = curves.reliability(values[known], yes[known])
    shown = yes.astype(np.float32)
    confusion = shown.T @ (said & no).astype(np.float32)
    np.fill_diagonal(confusion, (yes & said).sum(0))
    mistakes = _mistakes(values, yes, no, said, one_of_many)
    return Evaluation(
        exclusive=one_of_many,
        concepts=results,
        summary=_summary(results, values, yes, no, said, known, curves.calibration_error(bins)),
        bins=bins,
        confusion=confusion.round().astype(np.int64),
        cooccurrence=(shown.T @ shown).round().astype(np.int64),
        mistakes=mistakes,
        examples=_examples(values, yes, no, one_of_many),
    )


def _concept(id: str, scores: Floats, yes: Bools, no: Bools, said: Bools) -> ConceptResult:
    known = yes | no
    found = curves.steps(scores[known], yes[known])
    bins = curves.reliability(scores[known], yes[known])
    roc, precision_recall = curves.roc(found), curves.precision_recall(found)
    hits, alarms = int((yes & said).sum()), int((no & said).sum())
    precision, recall, f1 = rates(hits, alarms, int(yes.sum()))
    grid_hits, grid_alarms = curves.at(found, GRID)
    return ConceptResult(
        id=id,
        positives=int(yes.sum()),
        negatives=int(no.sum()),
        hits=hits,
        alarms=alarms,
        precision=precision,
        recall=recall,
        f1=f1,
        roc_auc=curves.area(roc) if roc else None,
        average_precision=curves.average_precision(precision_recall) if precision_recall else None,
        calibration_error=curves.calibration_error(bins),
        bins=bins,
        precision_recall=curves.thinned(precision_recall) if precision_recall else None,
        roc=curves.thinned(roc) if roc else None,
        grid_hits=grid_hits,
        grid_alarms=grid_alarms,
    )


def rates(hits: int, alarms: int, positives: int) -> tuple[float | None, float | None, float | None]:
    """Precision, recall and F1 of counts; None for one that the counts say nothing of."""
    precision = hits / (hits + alarms) if hits + alarms else None
    recall = hits / positives if positives else None
    f1 = 2 * hits / (hits + alarms + positives) if positives else None
    return precision, recall, f1


def _summary(
    results: Sequence[ConceptResult],
    scores: Floats,
    yes: Bools,
    no: Bools,
    said: Bools,
    known: Bools,
    calibration: float | None,
) -> Summary:
    hits, alarms = sum(r.hits for r in results), sum(r.alarms for r in results)
    precision, recall, f1 = rates(hits, alarms, sum(r.positives for r in results))
    right: Bools = (~(said ^ yes))[known]
    auc, f1s = [r.roc_auc for r in results], [r.f1 for r in results]
    return Summary(
        inputs=int((yes | no).any(1).sum()),
        accuracy=float(right.mean()) if right.size else None,
        top1=_top(scores, yes, no, 1),
        top5=_top(scores, yes, no, 5),
        macro_roc_auc=_mean(auc),
        macro_roc_auc_std=_std(auc),
        macro_f1=_mean(f1s),
        macro_f1_std=_std(f1s),
        # A concept that is there and was never said has no precision; counted as 0 it does not flatter the mean.
        macro_precision=_mean([r.precision or 0.0 for r in results if r.positives]),
        macro_recall=_mean([r.recall for r in results]),
        micro_precision=precision,
        micro_recall=recall,
        micro_f1=f1,
        calibration_error=calibration,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    there = [v for v in values if v is not None]
    return float(np.mean(there)) if there else None


def _std(values: Sequence[float | None]) -> float | None:
    there = [v for v in values if v is not None]
    return float(np.std(there)) if there else None


def _top(scores: Floats, yes: Bools, no: Bools, k: int) -> float | None:
    """The share of inputs, of those that show a concept, of which one is among the k highest scores.

    An input with none there and an unlabelled one among them could be either: it is left out.
    """
    if scores.shape[1] < 2:
        return None
    rows = np.flatnonzero(yes.any(1))
    best = np.argsort(-scores[rows], axis=1, kind="stable")[:, :k]
    hit: Bools = np.asarray(np.take_along_axis(yes[rows], best, 1).any(1))
    clear: Bools = hit | np.asarray(np.take_along_axis(no[rows], best, 1).all(1))
    return float(hit[clear].mean()) if clear.any() else None


def _mistakes(scores: Floats, yes: Bools, no: Bools, said: Bools, one_of_many: bool) -> list[Mistake]:
    rows, concepts = np.nonzero(said & no)
    found = [
        (float(scores[r, c]), int(r), int(c), _first(yes[r]) if one_of_many else None)
        for r, c in _worst(scores[rows, concepts], rows, concepts)
    ]
    made = [Mistake(row, concept, missed, score, score) for score, row, concept, missed in found]
    if not one_of_many:
        rows, concepts = np.nonzero(~said & yes)
        made += [
            Mistake(int(r), None, int(c), float(scores[r, c]), 1.0 - float(scores[r, c]))
            for r, c in _worst(1.0 - scores[rows, concepts], rows, concepts)
        ]
    return sorted(made, key=lambda m: -m.wrong)[:MISTAKES]


def _worst(wrong: Floats, rows: npt.NDArray[np.int64], concepts: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    order = np.argsort(-wrong, kind="stable")[:MISTAKES]
    return list(zip(rows[order].tolist(), concepts[order].tolist(), strict=True))


def _first(row: Bools) -> int | None:
    found = np.flatnonzero(row)
    return int(found[0]) if len(found) else None


def _examples(scores: Floats, yes: Bools, no: Bools, one_of_many: bool) -> list[Example]:
    if not scores.shape[1]:
        return []
    wrong = np.asarray(np.where(yes, 1.0 - scores, np.where(no, scores, -1.0))).max(1)
    made = []
    for row in np.argsort(-wrong, kind="stable")[:EXAMPLES].tolist():
        if wrong[row] < 0:
            break
        best = np.argsort(-scores[row], kind="stable")[:SHOWN]
        there, absent = np.flatnonzero(yes[row]), np.flatnonzero(no[row])
        # That a dog is no cat, no horse and no plane says nothing that "dog" does not.
        labels = [(int(c), 1) for c in there] + ([] if one_of_many and len(there) else [(int(c), 0) for c in absent])
        made.append(Example(row, [(int(c), float(scores[row, c])) for c in best], labels[:SHOWN]))
    return made

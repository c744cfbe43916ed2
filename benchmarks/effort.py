"""How little people have to label: the loop on digits and MNIST beside three common ways to set a threshold.

    python benchmarks/effort.py --parts digits --seeds 100
    python benchmarks/effort.py --parts mnist --seeds 20 --data mnist.npz

Parts:

- digits: 300 labels drawn by chance to train, 600 verified, scikit-learn's 1,797 digits.
- head: the same with the head that the server trains, in place of labels spread over the set.
- mnist: 400 labels in 4 rounds to train, 1,100 verified, all 70,000 images of MNIST.
- final: training labels in rounds of 100, and how much of all 70,000 would be right after each.
- proof: what it takes to show that 99 % are right: 800 to train in 8 rounds, 900 verified, the rest as needed.

Every rule sets its threshold on the same model, the same verified items and the same pool. The result is one JSON
object on the standard output; --plots writes the pictures of docs/effort.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from labelwright.demo import chart
from labelwright.training import simulation
from labelwright.training.data_sets import DIGITS, DataSet, load
from labelwright.training.simulation import HEAD, Learner, Plan, Stand
from labelwright.training.thresholds import tune

CONFIDENCE = 0.95
HAND = 0.95
TBAL_FACTOR, TBAL_FEWEST = 0.25, 25
PARTS = ("digits", "head", "mnist", "final", "proof")
ERRORS = {"digits": (0.05, 0.02, 0.01), "head": (0.05, 0.02, 0.01), "mnist": (0.05, 0.02, 0.01)}
PLANS = {
    "digits": Plan(train=300, verify=600, rounds=1),
    "head": Plan(train=300, verify=600, rounds=1, learner=HEAD),
    "mnist": Plan(train=400, verify=1100, rounds=4),
    "final": Plan(train=700, verify=1, rounds=7),
    "proof": Plan(train=800, verify=900, rounds=8, final=0.99),
}

Rule = Callable[[Stand, float], float]
"""From a run and an error target to a threshold."""


def by_hand(_at: Stand, _error: float) -> float:
    """A number that somebody typed."""
    return HAND


def by_estimate(at: Stand, error: float) -> float:
    """The lowest threshold whose observed share of mistakes is not above the target."""
    return _lowest(at, lambda share, _n: share <= error)


def by_heuristic(at: Stand, error: float) -> float:
    """TBAL's rule: the estimate and a quarter of its deviation, from 25 verified items on."""
    return _lowest(
        at, lambda share, n: (share + TBAL_FACTOR * np.sqrt(share * (1 - share)) <= error) & (n > TBAL_FEWEST)
    )


def by_promise(at: Stand, error: float) -> float:
    """Ours."""
    sure = at.opinion.sure
    return (
        tune(sure[at.verified], at.right, error=error, confidence=CONFIDENCE, pool_scores=sure[at.pool])
        .thresholds[0]
        .threshold
    )


def _lowest(at: Stand, holds: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.bool_]]) -> float:
    sure = at.opinion.sure[at.verified]
    order = np.argsort(-sure, kind="stable")
    n = np.arange(1, len(order) + 1)
    share = np.cumsum(~at.right[order]) / n
    # Of equal scores all are above a threshold, or none.
    last = np.append(np.diff(sure[order]) < 0, True)
    passing = np.flatnonzero(holds(share, n) & last)
    return float(sure[order[passing[-1]]]) if len(passing) else math.inf


RULES: dict[str, Rule] = {
    "promise": by_promise,
    "estimate": by_estimate,
    "tbal": by_heuristic,
    "hand": by_hand,
}


def compare(data: DataSet, part: str, seeds: int, learn: Learner) -> dict[str, Any]:
    """Every rule at every error target, over the seeds."""
    start = time.perf_counter()
    found: dict[float, dict[str, list[tuple[float, float]]]] = {
        error: {rule: [] for rule in RULES} for error in ERRORS[part]
    }
    model_right = []
    for seed in range(seeds):
        at = simulation.stand(data, PLANS[part], learn, seed)
        mistaken = at.opinion.named[at.pool] != data.labels[at.pool]
        model_right.append(1 - float(mistaken.mean()))
        for error, rules in found.items():
            for name, rule in RULES.items():
                labelled = at.opinion.sure[at.pool] >= rule(at, error)
                wrong = float(mistaken[labelled].mean()) if labelled.any() else 0.0
                rules[name].append((float(labelled.mean()), wrong))
        _say(f"{part}: seed {seed + 1} of {seeds}")
    return {
        "plan": {"train": PLANS[part].train, "verify": PLANS[part].verify, "rounds": PLANS[part].rounds},
        "seeds": seeds,
        "seconds_per_seed": round((time.perf_counter() - start) / seeds, 2),
        "model_right": round(float(np.mean(model_right)), 4),
        "targets": {
            f"{error:g}": {
                name: {
                    "coverage": round(float(np.mean([c for c, _ in runs])), 4),
                    "coverage_lowest": round(min(c for c, _ in runs), 4),
                    "true_error": round(float(np.mean([e for _, e in runs])), 5),
                    "broken": sum(e > error for _, e in runs),
                    "errors": [round(e, 5) for _, e in runs],
                }
                for name, runs in rules.items()
            }
            for error, rules in found.items()
        },
    }


def final(data: DataSet, seeds: int, learn: Learner) -> dict[str, Any]:
    """After each round of training the share of all labels, people's and the model's, that are right."""
    right: list[list[float]] = []
    asked: list[int] = []
    for seed in range(seeds):
        steps: list[float] = []
        counts: list[int] = []

        def watch(
            known: NDArray[Any], opinion: simulation.Opinion, steps: list[float] = steps, counts: list[int] = counts
        ) -> None:
            named = opinion.named.copy()
            named[known] = data.labels[known]
            steps.append(float((named == data.labels).mean()))
            counts.append(len(known))

        simulation.train(data, PLANS["final"], learn, np.random.default_rng(seed), lambda _share, _what: None, watch)
        right.append(steps)
        asked = counts
        _say(f"final: seed {seed + 1} of {seeds}: {' '.join(f'{v:.4f}' for v in steps)}")
    table = np.array(right)
    return {
        "seeds": seeds,
        "labels": asked,
        "right": [round(v, 5) for v in table.mean(axis=0)],
        "lowest": [round(v, 5) for v in table.min(axis=0)],
        "seeds_at_99": [int(v) for v in (table >= 0.99).sum(axis=0)],
    }


def proof(data: DataSet, seeds: int, learn: Learner) -> dict[str, Any]:
    """How many labels it takes until 99 % right is not only so, but shown."""
    played = []
    for seed in range(seeds):
        played.append(simulation.play(data, PLANS["proof"], learn, seed))
        _say(f"proof: seed {seed + 1} of {seeds}: {played[-1].people} labels, {played[-1].final:.4f} right")
    found = simulation.summary(data, PLANS["proof"], played)
    return {**found, "people": sorted(p.people for p in played), "runs": len(played)}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def draw(found: dict[str, Any], folder: Path) -> None:
    """Write the pictures of the parts that ran."""
    names = {"promise": "the promise", "estimate": "point estimate", "tbal": "TBAL's rule", "hand": f"{HAND} by hand"}
    for part in ("digits", "mnist"):
        for error, rules in found.get(part, {}).get("targets", {}).items():
            rows = [
                chart.Strip(names[n], tuple(r["errors"]), f"{r['coverage']:.1%} labelled, {r['broken']} broken")
                for n, r in rules.items()
            ]
            (folder / f"effort-{part}-{float(error) * 100:g}.svg").write_text(
                chart.strips(rows, float(error), f"True error of the auto-labels, {found[part]['seeds']} seeds")
            )
    if "final" in found:
        f = found["final"]
        (folder / "effort-final.svg").write_text(
            chart.curve(
                f["labels"], {"mean": f["right"], "worst seed": f["lowest"]}, 0.99, "Right labels of all 70,000"
            )
        )


def default_data() -> Path:
    """The file named by MNIST_NPZ, or shared/data/mnist.npz beside the repository."""
    named = os.environ.get("MNIST_NPZ")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist.npz"


def main() -> int:
    """Print the JSON; 2 when MNIST is wanted and missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, help="default: 100 for digits, 20 for the others")
    parser.add_argument("--data", type=Path, default=default_data(), help="MNIST (default: %(default)s)")
    parser.add_argument("--plots", type=Path, help="the folder that the pictures go to")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    of_mnist = [p for p in args.parts if p in ("mnist", "final", "proof")]
    if of_mnist and not args.data.is_file():
        _say(f"no MNIST file at {args.data}: name one with --data or MNIST_NPZ (npz with X uint8 n x 28 x 28, and y)")
        return 2
    found: dict[str, Any] = {}
    with threadpool_limits(args.threads):
        for part in (p for p in ("digits", "head") if p in args.parts):
            data = load(DIGITS)
            seeds = args.seeds or (100 if part == "digits" else 20)
            found[part] = compare(data, part, seeds, simulation.learner(data, PLANS[part]))
        if of_mnist:
            start = time.perf_counter()
            data = load(str(args.data))
            learn = simulation.learner(data, PLANS["mnist"])
            found["prepared_seconds"] = round(time.perf_counter() - start, 1)
            seeds = args.seeds or 20
            if "mnist" in args.parts:
                found["mnist"] = compare(data, "mnist", seeds, learn)
            if "proof" in args.parts:
                found["proof"] = proof(data, seeds, learn)
            if "final" in args.parts:
                found["final"] = final(data, seeds, learn)
    if args.plots:
        args.plots.mkdir(parents=True, exist_ok=True)
        draw(found, args.plots)
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Bounds that stay valid however often one looks, by betting against the share of mistakes that is doubted.

A bet that starts at 1 and is fair, or worse than fair, while the doubted share is the true one rarely grows: it ever
reaches 1 / delta with a chance of at most delta (Ville). So a test may look after every answer, stop when it likes,
and go on later. `evidence` bets on counts of answers that all had the same chance to be drawn; `weighted_evidence` on
answers that were drawn with unequal chances. All values are logarithms, so that ten thousand answers don't overflow.

docs/thresholds.md has the formulas, what they cost beside the exact bound, and their sources.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PRIOR = 0.5
"""How the bet is spread over the shares below the doubted one: density in proportion to share ** (PRIOR - 1).
0.5 leans towards few mistakes: 74 answers without one show 5 % at 95 %."""

STAKES = np.array([1.0, 0.7, 0.45, 0.25, 0.12])
"""What the weighted bet stakes, as shares of the largest stake that can't be lost whole: a fixed mixture, since the
right one depends on the true share of mistakes. The first is right where there are none."""
MIX = np.array([0.4, 0.2, 0.2, 0.1, 0.1])


def evidence(wrong: npt.ArrayLike, n: npt.ArrayLike, error: npt.ArrayLike) -> Floats:
    """The log of the bet that the share of mistakes is below `error`, after `wrong` of `n`; arrays of one shape.

    At or above log(1 / (1 - confidence)) it is shown with that confidence, at whatever look that happens.
    It rises with `error` and falls with `wrong`.
    """
    from scipy.special import betainc, betaln

    k, total, share = np.broadcast_arrays(*(np.asarray(a, np.float64) for a in (wrong, n, error)))
    if np.any((k < 0) | (k > total)):
        raise ValueError("mistakes are counted among the answers: 0 <= wrong <= n")
    if np.any((share <= 0) | (share >= 1)):
        raise ValueError("a share of mistakes lies above 0 and below 1")
    a, b = k + PRIOR, total - k + 1
    with np.errstate(divide="ignore"):
        mass = np.log(betainc(a, b, share))
    found = math.log(PRIOR) - PRIOR * np.log(share) + betaln(a, b) + mass
    return np.asarray(found - k * np.log(share) - (total - k) * np.log1p(-share), dtype=np.float64)


def evidence_above(wrong: npt.ArrayLike, n: npt.ArrayLike, error: float) -> Floats:
    """The log of the bet that the share of mistakes is above `error`: what an alarm waits for.

    The bet is spread over larger shares so that it expects about twice the target: an audit should be quickest there.
    """
    from scipy.special import betainc, betaln

    k, total = np.broadcast_arrays(*(np.asarray(a, np.float64) for a in (wrong, n)))
    if np.any((k < 0) | (k > total)):
        raise ValueError("mistakes are counted among the answers: 0 <= wrong <= n")
    _share(error)
    prior = (1 - error) / error
    a, b = total - k + prior, k + 1
    with np.errstate(divide="ignore"):
        mass = np.log(betainc(a, b, 1 - error))
    found = math.log(prior) - prior * math.log1p(-error) + betaln(a, b) + mass
    return np.asarray(found - k * math.log(error) - (total - k) * math.log1p(-error), dtype=np.float64)


def weighted_evidence(
    wrong: npt.ArrayLike, weights: npt.ArrayLike, error: float, *, heaviest: float | None = None
) -> float:
    """The log of the bet that the weighted share of mistakes is below `error`.

    `wrong` (n,) of 0 or 1, `weights` (n,) in proportion to 1 / the chance of being drawn, `heaviest` the largest
    weight that could have been drawn (the largest that was, where it isn't given). Valid where each item is drawn by
    itself with its chance, where a fixed number is drawn from each of several strata, and for draws with replacement.
    It rises with `error`.
    """
    x, w = _answers(wrong, weights)
    _share(error)
    return _mixed(error - x, w, heaviest)


def weighted_evidence_above(
    wrong: npt.ArrayLike, weights: npt.ArrayLike, error: float, *, heaviest: float | None = None
) -> float:
    """The log of the bet that the weighted share of mistakes is above `error`."""
    x, w = _answers(wrong, weights)
    _share(error)
    # A mistake wins 1 - error and a right answer loses error, so more than the whole of `error` can be staked.
    return _mixed((x - error) / max(error, 1 - error), w, heaviest)


def upper_bound(wrong: int, n: int, confidence: float) -> float:
    """With `confidence` the true share of mistakes is at no look above it."""
    if n == 0 or wrong >= n:
        return 1.0
    return _crossing(lambda share: float(evidence(wrong, n, share)), confidence)


def lower_bound(wrong: int, n: int, confidence: float) -> float:
    """With `confidence` the true share of mistakes is at no look below it."""
    return 1 - upper_bound(n - wrong, n, confidence) if n else 0.0


def weighted_upper_bound(wrong: npt.ArrayLike, weights: npt.ArrayLike, confidence: float) -> float:
    """The same from answers drawn with unequal chances; 1 where there are none."""
    x, w = _answers(wrong, weights)
    return _crossing(lambda share: _mixed(share - x, w, None), confidence) if x.size else 1.0


def weighted_lower_bound(wrong: npt.ArrayLike, weights: npt.ArrayLike, confidence: float) -> float:
    """The same from below; 0 where there are none."""
    x, w = _answers(wrong, weights)
    return 1 - weighted_upper_bound(1 - x, w, confidence) if x.size else 0.0


def _mixed(gains: Floats, weights: Floats, heaviest: float | None) -> float:
    """The log of the mean over the stakes of what 1 becomes, where each answer returns 1 + stake * weight * gain."""
    if not gains.size:
        return 0.0
    most = float(weights.max()) if heaviest is None else heaviest
    if most < weights.max():
        raise ValueError(f"heaviest is {most}, and an answer weighs {weights.max()}")
    with np.errstate(divide="ignore"):
        # A stake of 1 on a share of nearly 0 can be lost whole; the other stakes live on.
        grown = np.log1p(STAKES[:, None] * (weights / most) * gains).sum(axis=1) + np.log(MIX)
    top = grown.max()
    return float(top + np.log(np.exp(grown - top).sum()))


def _crossing(bet: Callable[[float], float], confidence: float) -> float:
    """The smallest share that a bet which rises with the share rules out."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence}: above 0 and below 1")
    wanted = -math.log1p(-confidence)
    low, high = 0.0, 1.0
    # 40 halvings: a bound to twelve digits.
    for _ in range(40):
        middle = (low + high) / 2
        if bet(middle) >= wanted:
            high = middle
        else:
            low = middle
    return high


def _answers(wrong: npt.ArrayLike, weights: npt.ArrayLike) -> tuple[Floats, Floats]:
    x, w = np.asarray(wrong, np.float64), np.asarray(weights, np.float64)
    if x.ndim != 1 or x.shape != w.shape:
        raise ValueError(f"one weight for each answer: {x.shape} answers, {w.shape} weights")
    if not np.isin(x, (0.0, 1.0)).all():
        raise ValueError("an answer is wrong (1) or right (0)")
    if not (np.isfinite(w).all() and (w > 0).all()):
        raise ValueError("weights are finite and above 0")
    return x, w


def _share(error: float) -> None:
    if not 0 < error < 1:
        raise ValueError(f"error {error}: above 0 and below 1")

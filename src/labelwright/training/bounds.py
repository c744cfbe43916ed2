"""Exact bounds on a share of mistakes, from counts of answers: n of them, k of them wrong.

Binomial: the answers are draws from something endless, such as the items still to come.
Finite: the answers are drawn without replacement from a pool, and the statement is about the mistakes among exactly
those items of the pool that were not drawn, which are the ones that a threshold labels.

docs/thresholds.md has the formulas and their sources. No store, no clock, no chance in here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST = 10**9
"""No search for a number of answers goes further: who needs more than this will not have it."""


def p_values(wrong: npt.ArrayLike, n: npt.ArrayLike, error: float) -> Floats:
    """How likely at most `wrong` mistakes among `n` would be, were `error` the true share: arrays of one shape.

    A small value is evidence that the true share is below `error`. It is 1 where n is 0.
    """
    from scipy.special import bdtr

    k, total = np.broadcast_arrays(np.asarray(wrong, np.int64), np.asarray(n, np.int64))
    if np.any((k < 0) | (k > total)):
        raise ValueError("mistakes are counted among the answers: 0 <= wrong <= n")
    return np.asarray(bdtr(k.astype(np.float64), total, error), dtype=np.float64)


def finite_p_values(wrong: npt.ArrayLike, n: npt.ArrayLike, left: npt.ArrayLike, error: float) -> Floats:
    """The same, about a pool: `n` items of n + left were drawn without replacement, `wrong` of them are mistakes.

    The largest chance, over all pools whose `left` items would hold a larger share of mistakes than `error`, of
    drawing as few mistakes as `wrong`. With R = floor(error * left) mistakes allowed, that is the chance of at most
    `wrong` among n of a pool with wrong + R + 1 in all: one mistake more in the pool only makes few draws rarer.
    0 where nothing is left, 1 where n is 0 and something is.
    """
    k, drawn, rest = np.broadcast_arrays(*(np.asarray(a, np.int64) for a in (wrong, n, left)))
    if np.any((k < 0) | (k > drawn) | (rest < 0)):
        raise ValueError("mistakes are counted among the answers: 0 <= wrong <= n, and left is not below 0")
    # Without the tiny addition 0.07 * 100 would allow 7 mistakes, and 0.29 * 100 only 28.
    allowed = np.floor(error * rest + 1e-9).astype(np.int64)
    pool_wrong = k + allowed + 1
    found = np.where((rest == 0) | (pool_wrong > drawn + rest), 0.0, 1.0)
    # At a share of mistakes above the target nothing is ever passed, and such counts would cost the longest sums.
    open_ = (rest > 0) & (pool_wrong <= drawn + rest) & (k <= error * drawn)
    if open_.any():
        found[open_] = _hypergeometric_cdf(k[open_], drawn[open_] + rest[open_], pool_wrong[open_], drawn[open_])
    return found


def _hypergeometric_cdf(k: Ints, pool: Ints, pool_wrong: Ints, n: Ints) -> Floats:
    """The chance of at most k mistakes among n draws of a pool that holds pool_wrong."""
    from scipy.special import gammaln

    i = np.arange(int(k.max()) + 1)[:, None]
    fine = pool - pool_wrong
    possible = (i <= k) & (i <= pool_wrong) & (n - i <= fine) & (n - i >= 0)
    at = np.where(possible, i, 0)
    rest = np.where(possible, n - i, 0)
    logs = (
        gammaln(pool_wrong + 1.0)
        - gammaln(at + 1.0)
        - gammaln(np.maximum(pool_wrong - at, 0) + 1.0)
        + gammaln(fine + 1.0)
        - gammaln(rest + 1.0)
        - gammaln(np.maximum(fine - rest, 0) + 1.0)
        - (gammaln(pool + 1.0) - gammaln(n + 1.0) - gammaln(pool - n + 1.0))
    )
    found: Floats = np.minimum(np.where(possible, np.exp(logs), 0.0).sum(axis=0), 1.0)
    return found


def upper_bound(wrong: int, n: int, confidence: float) -> float:
    """The one-sided Clopper-Pearson bound, 0..1: with `confidence` the true share of mistakes is not above it."""
    _counts(wrong, n, confidence)
    if wrong >= n:
        return 1.0
    from scipy.special import betaincinv

    return float(betaincinv(wrong + 1, n - wrong, confidence))


def lower_bound(wrong: int, n: int, confidence: float) -> float:
    """The one-sided bound from below, 0..1: with `confidence` the true share of mistakes is not below it."""
    _counts(wrong, n, confidence)
    if wrong == 0:
        return 0.0
    from scipy.special import betaincinv

    return float(betaincinv(wrong, n - wrong + 1, 1 - confidence))


def interval(wrong: int, n: int, confidence: float) -> tuple[float, float]:
    """The two-sided Clopper-Pearson interval: each side is missed with at most half of 1 - confidence."""
    side = 1 - (1 - confidence) / 2
    return lower_bound(wrong, n, side), upper_bound(wrong, n, side)


def finite_upper_bound(wrong: int, n: int, left: int, confidence: float) -> float:
    """With `confidence` the share of mistakes among the `left` undrawn items of the pool is not above it."""
    _counts(wrong, n, confidence)
    if left <= 0:
        return 0.0
    if n == 0:
        return 1.0

    def excluded(count: int) -> bool:
        """Whether more than `count` mistakes among what is left can be ruled out."""
        one = np.asarray([wrong], np.int64), np.asarray([n + left], np.int64)
        return bool(
            count >= left
            or _hypergeometric_cdf(*one, np.asarray([wrong + count + 1]), np.asarray([n]))[0] <= 1 - confidence
        )

    return first(excluded, 0, left) / left


def needed(error: float, confidence: float, wrong: int = 0) -> int:
    """How many answers it takes, `wrong` of them mistakes, for the bound to come down to `error`.

    Without a mistake at 95 %: 59, 149, 299 and 598 for 5, 2, 1 and 0.5 %.
    """
    _shares(error, confidence)
    if wrong < 0:
        raise ValueError("a number of mistakes is not below 0")
    return first(lambda n: bool(p_values(wrong, n, error) <= 1 - confidence), wrong, MOST)


def first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The smallest number from low to high that holds, where all above it hold too; high where none does."""
    step = 1
    while low + step < high and not holds(low + step):
        step *= 2
    high = min(low + step, high)
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return high


def _counts(wrong: int, n: int, confidence: float) -> None:
    if not 0 <= wrong <= n:
        raise ValueError(f"{wrong} mistakes among {n} answers: 0 <= wrong <= n")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence}: above 0 and below 1")


def _shares(error: float, confidence: float) -> None:
    if not 0 < error < 1:
        raise ValueError(f"error {error}: above 0 and below 1, such as 0.01 for one in a hundred")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence}: above 0 and below 1, such as 0.95")

"""Counts of very many rows, made again no oftener than they are worth."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

MANY = 10_000
"""Smaller counts are always made anew: 10,000 rows take 0.5 ms."""

SHARE = 20
"""A count is kept for so many times as long as it took: at most a twentieth of the time goes into it."""

MAX_KEPT = 1000


class Remembered:
    """Large counts, each kept for a while in proportion to what it cost; 100,000 rows: 5 ms, kept for 0.1 s.

    Args:
        clock: seconds that only go up.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[float, Any]] = {}

    def get(self, key: Hashable, make: Callable[[], T], rows: Callable[[T], int]) -> T:
        """The count under a key: as it was made a moment ago, or made now.

        Args:
            rows: how many rows a count is of.
        """
        kept = self._kept.get(key)
        started = self._clock()
        if kept is not None and started < kept[0]:
            was: T = kept[1]
            return was
        found = make()
        ended = self._clock()
        with self._lock:
            self._kept.pop(key, None)
            if rows(found) >= MANY:
                if len(self._kept) >= MAX_KEPT:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[key] = (ended + SHARE * (ended - started), found)
        return found

"""An app's counts at a price that does not grow with it: exact ones where they are cheap or remembered."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import Connection

from labelwright.protocol.remembered import SHARE, Remembered
from labelwright.store import inputs
from labelwright.store import overview as stored
from labelwright.store.engine import Store, now
from labelwright.store.overview import ConceptCount, Counts

log = structlog.get_logger("labelwright.overview")

SMALL = 3_000
"""Annotations up to which an app is counted at each call; 4,000 took 20 ms."""
WINDOWS, EACH = 20, 25
"""Places of an app, and inputs at each, from which its counts are estimated while nobody has counted it yet."""
OLDEST = 10.0
"""Seconds for which what was counted is shown without counting again."""
_KEPT = 256
"""Apps whose counts are remembered for each store."""


@dataclass(frozen=True, slots=True)
class AppCounts:
    """Counts of an app."""

    counts: Counts
    coverage: float
    """The share of inputs that a model labelled by itself, 0 to 1."""
    labelled: float
    """The share of inputs that have a label, 0 to 1."""
    sampled: bool
    """Whether they are estimated from some of the inputs."""
    at: int
    """When they were counted, in microseconds since 1970."""


class Counter:
    """Remembers the counts of one store's large apps, and counts them again in a thread, one app at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, tuple[float, AppCounts]] = {}
        """App to the time from which its counts are too old, and the counts."""
        self._statuses = Remembered()
        self._at_work: threading.Thread | None = None

    def inputs(self, conn: Connection, app: int) -> dict[int, int]:
        """How many inputs of each status an app has; of many a moment ago."""
        return self._statuses.get(app, lambda: inputs.counts(conn, app), lambda found: sum(found.values()))

    def of(self, store: Store, conn: Connection, app: int, total: int) -> AppCounts:
        """The counts of an app.

        Args:
            conn: a transaction of the store.
            total: how many inputs the app has.
        """
        if not stored.has_more_than(conn, app, SMALL):
            return _exact(conn, app, total)
        with self._lock:
            until, known = self._known.get(app, (0.0, None))
        if time.monotonic() >= until:
            self._count_again(store, app)
        return known or _estimated(conn, app, total)

    def join(self) -> None:
        """Wait until nothing is being counted."""
        with self._lock:
            thread = self._at_work
        if thread is not None:
            thread.join()

    def _count_again(self, store: Store, app: int) -> None:
        with self._lock:
            if self._at_work is not None and self._at_work.is_alive():
                return
            self._at_work = threading.Thread(target=self._count, args=(store, app), name="counts", daemon=True)
            self._at_work.start()

    def _count(self, store: Store, app: int) -> None:
        started = time.monotonic()
        try:
            with store.read() as conn:
                made = _exact(conn, app, sum(inputs.counts(conn, app).values()))
        except Exception as e:  # noqa: BLE001 (the store may close meanwhile; whoever asks next begins anew)
            log.warning("an app could not be counted", error=f"{type(e).__name__}: {e}"[:200])
            return
        ended = time.monotonic()
        with self._lock:
            self._known.pop(app, None)
            while len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[app] = (ended + max(OLDEST, SHARE * (ended - started)), made)


_counters: WeakKeyDictionary[Store, Counter] = WeakKeyDictionary()
_lock = threading.Lock()


def counter(store: Store) -> Counter:
    """The counter of a store."""
    with _lock:
        if store not in _counters:
            _counters[store] = Counter()
        return _counters[store]


def _exact(conn: Connection, app: int, total: int) -> AppCounts:
    return _shares(stored.count(conn, app), total, sampled=False)


def _estimated(conn: Connection, app: int, total: int) -> AppCounts:
    some = stored.spread(conn, app, windows=WINDOWS, each=EACH)
    counts = stored.count_of(conn, some)
    return _shares(_times(counts, total / max(len(some), 1)), total, sampled=True)


def _times(counts: Counts, factor: float) -> Counts:
    annotations: Mapping[tuple[int, int], int] = counts.annotations
    return Counts(
        {key: round(n * factor) for key, n in annotations.items()},
        covered=round(counts.covered * factor),
        labelled=round(counts.labelled * factor),
        concepts=[ConceptCount(c.concept, c.status_code, c.present, round(c.n * factor)) for c in counts.concepts],
    )


def _shares(counts: Counts, total: int, *, sampled: bool) -> AppCounts:
    def share(n: int) -> float:
        return round(min(n / total, 1.0), 6) if total else 0.0

    return AppCounts(counts, share(counts.covered), share(counts.labelled), sampled, now())

"""Alarms of audits that come and go, told to the log when answers are given or taken back."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import Connection, Row

from labelwright.protocol.audit_estimates import estimates, targets
from labelwright.protocol.remembered import Remembered
from labelwright.store import audits
from labelwright.store.engine import Store
from labelwright.training.audits import Standing

log = structlog.get_logger("labelwright.audits")

_KEPT = 1000
"""Model versions of apps whose alarms are remembered for each store."""


class _Look(NamedTuple):
    alarms: Mapping[str, Standing]
    """By concept; "" for all together."""
    answers: int
    """How many it was made from."""


def _look(conn: Connection, app: int, version: str) -> _Look:
    wanted = targets(conn, app, {version})
    if not wanted:
        # Nothing was promised, so nothing can be in alarm: the answers need not be read.
        return _Look({}, 0)
    tallies = audits.tallies(conn, app, {version}).get(app, [])
    found = (e.standing for e in estimates(tallies, wanted))
    return _Look({s.concept: s for s in found if s.alarm}, sum(len(tally.answers) for tally in tallies))


def _read(store: Store, app: int, version: str) -> _Look:
    with store.read() as conn:
        return _look(conn, app, version)


class Watch:
    """Remembers which alarms of one store's apps are known, so that only a change is told.

    A version of 10,000 answers and more is looked at for a twentieth of the time at most: a change is then told with
    a later answer, 15 s later at 50,000 answers. So is one that came in another way than by an answer, as by tuning.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[int, str], tuple[int, Mapping[str, Standing]]] = {}
        """By app and version: when it was looked at, in looks, and what was seen."""
        self._looks = Remembered()
        self._ticks = itertools.count()

    def before(self, conn: Connection, app: int, versions: Collection[str]) -> None:
        """Get to know the alarms of model versions (ids), about whose labels answers are to be given or taken back."""
        for version in sorted(versions):
            if (app, version) not in self._known:
                tick = next(self._ticks)
                self._keep(app, version, tick, _look(conn, app, version).alarms)

    def after(self, store: Store, app: Row[Any], versions: Collection[str]) -> None:
        """Log the alarms of an app (its row) that came, and those that went, now that answers are on disk."""
        for version in sorted(versions):
            tick = next(self._ticks)
            now = self._looks.get(
                (app.pk, version), partial(_read, store, app.pk, version), lambda found: found.answers
            ).alarms
            before = self._keep(app.pk, version, tick, now)
            for concept in sorted(before.keys() ^ now.keys()):
                _tell(app, now.get(concept), before.get(concept))

    def _keep(self, app: int, version: str, tick: int, alarms: Mapping[str, Standing]) -> Mapping[str, Standing]:
        """Keep what was seen, unless somebody has seen more since; returns what to compare it with."""
        with self._lock:
            seen, known = self._known.pop((app, version), (tick, alarms))
            if len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[app, version] = (seen, known) if seen > tick else (tick, alarms)
        return alarms if seen > tick else known


def _tell(app: Row[Any], now: Standing | None, before: Standing | None) -> None:
    s = now or before
    if s is None:
        return
    about = {"user": app.user_id, "app": app.id, "concept": s.concept, "model_version": s.version}
    if now is not None:
        log.warning("audit alarm: more mistakes among the auto-labels than was promised", **about, reason=s.reason)
    else:
        log.warning("audit alarm is over", **about)


_watches: WeakKeyDictionary[Store, Watch] = WeakKeyDictionary()
_lock = threading.Lock()


def watch_of(store: Store) -> Watch:
    """The watch of a store's alarms."""
    with _lock:
        if store not in _watches:
            _watches[store] = Watch()
        return _watches[store]

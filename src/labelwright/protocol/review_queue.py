"""The review queue: being given items, keeping them, giving them back; how much there is."""

from __future__ import annotations

import time
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import UserAppIDSet
from sqlalchemy import Connection, Row

from labelwright.protocol import given as g
from labelwright.protocol.dispatch import Call
from labelwright.protocol.hosted import Hosting
from labelwright.protocol.review_filters import read_filter
from labelwright.protocol.review_messages import show_items, show_time
from labelwright.store import annotation_workers, history, review_items, runs
from labelwright.store import annotations as stored
from labelwright.store.engine import now

MAX_ITEMS = 200
MAX_EXCLUDED = 500
MAX_HELD = 5000
"""An input in single mode may bring hundreds of items along."""

MAX_CONCEPTS = 200
"""Concepts that a summary counts."""

DAY = 86_400


def holder_of(call: Call, tab: str) -> str:
    """In whose name a tab's items are held."""
    return f"{call.user_id}:{tab}"


def take(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """Give a tab items that no other tab or person holds, for 120 seconds.

    In mode "single" each item is another input's, and takes all that waits of its input with it (``others``); an
    input of which somebody else holds anything is passed over. What the tab holds already is given again, unless it
    is excluded; in mode "single" an excluded item excludes its input.

    Raises:
        InvalidRequest: something given is not legal.
        LabelwrightError: as `Call.app`.
    """
    tab = g.tab(given)
    mode = g.one_of(given, "mode", ["single", "grid"])
    n = g.whole(given, "n", 1, MAX_ITEMS) or 1
    excluded = g.items(given, "exclude", most=MAX_EXCLUDED)
    order = g.one_of(given, "order", review_items.ORDERS)
    holder, hosting = holder_of(call, tab), Hosting(call)
    with call.store.write() as conn:
        # The app's row is not locked: two who take at once pass over what the other is just taking.
        app = call.app(conn, where)
        which = read_filter(conn, app, given)
        at = now()
        ids = {p[0] for p in map(g.split, excluded) if p is not None}
        skipped = g.places(excluded, stored.keys(conn, app.pk, sorted(ids)) if ids else {})
        if mode == "grid":
            rows = review_items.take(conn, app.pk, which, order, holder=holder, at=at, n=n, exclude=skipped.keys())
            groups: list[Any] = [(row, None) for row in rows]
        else:
            inputs = {row.input for row in review_items.get(conn, skipped).values()}
            groups = list(
                review_items.take_inputs(conn, app.pk, which, order, holder=holder, at=at, n=n, exclude=inputs)
            )
        left = _waiting(call, conn, app, which)
        left -= review_items.count_held(conn, app.pk, which, holder=holder, at=at)
        items = show_items(conn, app, groups, hosting)
    return {"items": items, "left": left}


def _waiting(call: Call, conn: Connection, app: Row[Any], which: review_items.Filter) -> int:
    """How much waits; of much, a moment ago."""
    return call.server.counts.get((app.pk, which), lambda: review_items.count(conn, app.pk, which), int)


def hold(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """Keep items for another 120 seconds; those that are decided, gone or another's by now are ``lost``.

    Raises:
        InvalidRequest: something given is not legal.
        LabelwrightError: as `Call.app`.
    """
    tab = g.tab(given)
    items = g.items(given, "items", most=MAX_HELD)
    with call.store.write() as conn:
        app = call.app(conn, where)
        ids = {p[0] for p in map(g.split, items) if p is not None}
        places = g.places(items, stored.keys(conn, app.pk, sorted(ids)) if ids else {})
        kept = review_items.hold(conn, places.keys(), holder=holder_of(call, tab), at=now())
    held = {places[p] for p in kept}
    return {"held": [i for i in items if i in held], "lost": [i for i in items if i not in held]}


def release(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """Give back all that a tab holds.

    Raises:
        InvalidRequest: the tab is missing.
        LabelwrightError: as `Call.app`.
    """
    tab = g.tab(given)
    with call.store.write() as conn:
        app = call.app(conn, where)
        released = review_items.release(conn, app.pk, holder_of(call, tab))
    return {"released": released}


def summary(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """How much waits, of what, and who decided how much.

    ``left`` and ``held`` obey the filters; the other counts are the whole app's. A day begins at 00:00 UTC, or at
    ``since``, in seconds since 1970. ``tab``, where given, counts what it holds as left.

    Raises:
        InvalidRequest: something given is not legal.
        LabelwrightError: as `Call.app`.
    """
    since = g.whole(given, "since", 0, 2**40) or int(time.time()) // DAY * DAY
    holder = holder_of(call, g.text(given, "tab", most=64) or "")
    with call.store.read() as conn:
        app = call.app(conn, where)
        which = read_filter(conn, app, given)
        held = review_items.count_held(conn, app.pk, which, holder=holder, at=now())
        left = _waiting(call, conn, app, which) - held
        statuses, concepts, sources = call.server.counts.get(
            app.pk,
            lambda: (
                review_items.by_status(conn, app.pk),
                review_items.by_concept(conn, app.pk, limit=MAX_CONCEPTS),
                review_items.by_source(conn, app.pk),
            ),
            lambda found: sum(found[0].values()),
        )
        models = annotation_workers.models(conn, sorted({version for version, _ in sources if version}))
        rows = {row.pk: row for row in runs.by_pks(conn, {run for _, run in sources if run is not None})}
        today = history.counts(conn, app.pk, since=since * 1_000_000)
        ever = history.counts(conn, app.pk)
    versions: dict[str, int] = {}
    by_run: dict[int, int] = {}
    for (version, run), n in sources.items():
        versions[version] = versions.get(version, 0) + n
        if run is not None:
            by_run[run] = by_run.get(run, 0) + n
    return {
        "left": left,
        "held": held,
        "mine": {"today": today.get(call.user_id, 0), "all": ever.get(call.user_id, 0)},
        "all": {"today": sum(today.values()), "all": sum(ever.values())},
        "statuses": {
            "pending": statuses.get(review_items.PENDING, 0),
            "flagged": statuses.get(review_items.FLAGGED, 0),
        },
        "concepts": [
            {"id": c.id, "name": c.name, "pending": int(c.pending), "flagged": int(c.flagged)} for c in concepts
        ],
        "model_versions": [
            {
                "version_id": version,
                "model_id": models[version].id if version in models else "",
                "name": models[version].name if version in models else "",
                "pending": n,
            }
            for version, n in _most_first(versions)
            if version
        ],
        "runs": [
            {"id": rows[run].id, "pending": n, "created_at": show_time(rows[run].created_at)}
            for run, n in sorted(by_run.items(), reverse=True)
            if run in rows
        ],
        "people": [{"user_id": user_id, "today": n} for user_id, n in _most_first(today)],
    }


def _most_first(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))

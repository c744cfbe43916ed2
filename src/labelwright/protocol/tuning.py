"""Thresholds as the pages move them: what a threshold would do, setting them, choosing them from data, taking back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import UserAppIDSet
from sqlalchemy import Row

from labelwright.errors import DoesNotExist, InvalidRequest
from labelwright.protocol import asked
from labelwright.protocol import given as g
from labelwright.protocol.dispatch import Call
from labelwright.protocol.review_messages import show_time
from labelwright.store import tunings
from labelwright.training import forecast as forecasts
from labelwright.training import route, tuner
from labelwright.training.tuning import NEVER, Target, verify_more

MAX_SET = 1000
"""Thresholds that are set at once."""

LONGEST_ID = 256
LISTED = 20


def forecast(call: Call, where: UserAppIDSet, given: Mapping[str, Any]) -> dict[str, Any]:
    """What each threshold of a concept would label, and how much of it wrongly.

    Args:
        given: ``concept`` (its id).

    Returns:
        As `labelwright.training.forecast.forecast`; ``problem``: why the thresholds can't be set, or "".

    Raises:
        InvalidRequest: something given is not legal.
        DoesNotExist: the app has no such concept; or as `Call.app`.
    """
    asked.only(given, "concept")
    concept_id = asked.text(given, "concept", longest=LONGEST_ID)
    if not concept_id:
        raise InvalidRequest("concept is empty: say the id of the concept whose thresholds are meant")
    with call.store.read() as conn:
        app = call.app(conn, where)
        problem = ""
        try:
            tuner.can_change(app, route.find(conn, app), "")
            found = forecasts.forecast(conn, app, concept_id)
        except InvalidRequest as e:
            problem = e.details
            found = forecasts.forecast(conn, app, concept_id, routed=False)
    if found is None:
        raise DoesNotExist(f"app {app.id!r} has no concept {concept_id!r}")
    return {**found, "problem": problem}


def apply(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """Set thresholds by hand, or have them chosen from what was verified.

    Args:
        given: ``thresholds``, a list of objects with ``concept`` and ``value``; or ``guarantee``: true with ``error``,
            ``confidence`` (0.01 and 0.95 where they are not given) and ``joint`` (true where it is not given).

    Returns:
        ``tuning``, its id; ``made``: whether anything changed; with a guarantee ``limits`` and ``coverage`` besides.

    Raises:
        InvalidRequest: something given is not legal, or the thresholds can't be set; see `tuner`.
        LabelwrightError: as `Call.app`.
    """
    with call.store.write() as conn:
        app = call.app(conn, where, change=True)
    return _tuned(call, app, given) if given.get("guarantee") is not None else _by_hand(call, app, given)


def _by_hand(call: Call, app: Row[Any], given: g.Given) -> dict[str, Any]:
    asked.only(given, "thresholds")
    wanted: dict[str, float] = {}
    for one in g.objects(given, "thresholds", most=MAX_SET):
        value = g.number(one, "value", 0.0, NEVER)
        if value is None:
            raise InvalidRequest("a threshold has no value: 0 to 1 is legal")
        wanted[g.needed(one, "concept", most=LONGEST_ID)] = value
    row = tuner.by_hand(call.store, app, wanted, user_id=call.user_id)
    return {"tuning": row.id, "made": True}


def _tuned(call: Call, app: Row[Any], given: g.Given) -> dict[str, Any]:
    asked.only(given, "guarantee", "error", "confidence", "joint")
    for name in ("guarantee", "joint"):
        if not isinstance(given.get(name, True), bool):
            raise InvalidRequest(f"{name} is {type(given[name]).__name__}; true or false is legal")
    if not given["guarantee"]:
        raise InvalidRequest("guarantee is false: give thresholds instead, to set them by hand")
    error, confidence = g.number(given, "error", 0.0, 1.0), g.number(given, "confidence", 0.0, 1.0)
    target = Target(
        0.01 if error is None else error, 0.95 if confidence is None else confidence, given.get("joint", True)
    )
    with call.store.read() as conn:
        way = route.find(conn, app)
    way = tuner.can_change(app, way, "")
    done = tuner.tune(
        call.store,
        call.server.blobs,
        app,
        way.model_version.model_id,
        target,
        user_id=call.user_id,
        version=way.model_version,
    )
    return {
        "tuning": done.id,
        "made": done.made is not None,
        "coverage": done.decision.coverage,
        "limits": [
            {
                **asdict(limit),
                "concept": None if limit.group is None else done.subject.concepts[limit.group],
                "advice": verify_more(limit),
            }
            for limit in done.decision.limits
        ],
        "evidence": done.evidence.counts(),
    }


def draw(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """Draw claims of the model in the default workflow at random, for people to verify.

    Args:
        given: ``n``, how many.

    Returns:
        ``draw``, its id; ``items``: how many were drawn, of ``pool`` that are still to be decided.

    Raises:
        InvalidRequest: something given is not legal, or there is nothing to draw from: see `tuner.draw`.
        LabelwrightError: as `Call.app`.
    """
    asked.only(given, "n")
    n = g.whole(given, "n", 1, tuner.MOST_DRAWN)
    if n is None:
        raise InvalidRequest("n is missing: say how many are to be drawn")
    with call.store.write() as conn:
        app = call.app(conn, where, change=True)
    # Outside the transaction: the way is found at the price of the whole workflow, and nothing is written by it.
    with call.store.read() as conn:
        way = tuner.can_change(app, route.find(conn, app), "")
    made = tuner.draw(
        call.store,
        call.server.blobs,
        app,
        way.model_version.model_id,
        n=n,
        user_id=call.user_id,
        version=way.model_version,
    )
    return {"draw": made.id, "items": made.items, "pool": made.pool}


def undo(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """Take a tuning back.

    Args:
        given: ``tuning``, its id.

    Raises:
        InvalidRequest: something given is not legal, or it can't be taken back: see `tuner.undo`.
        DoesNotExist: there is no such tuning; or as `Call.app`.
    """
    asked.only(given, "tuning")
    tuning_id = g.needed(given, "tuning", most=64)
    with call.store.write() as conn:
        app = call.app(conn, where, change=True)
    row = tuner.undo(call.store, app, tuning_id)
    return {"tuning": row.id}


def listing(call: Call, where: UserAppIDSet, given: Mapping[str, Any]) -> dict[str, Any]:
    """The newest tunings of an app.

    Args:
        given: no parameters.

    Raises:
        InvalidRequest: there are parameters.
        LabelwrightError: as `Call.app`.
    """
    asked.only(given)
    with call.store.read() as conn:
        app = call.app(conn, where)
        rows = tunings.listing(conn, app.pk, limit=LISTED)
    return {
        "tunings": [
            {
                "id": row.id,
                "by": row.params.get("by", ""),
                "model_id": row.params.get("model_id", ""),
                "version_id": row.model_version_id,
                "error": row.params.get("error"),
                "confidence": row.params.get("confidence"),
                "made": row.made is not None,
                "user_id": row.user_id,
                "created_at": show_time(row.created_at),
                "undone_at": show_time(row.undone_at) if row.undone_at is not None else None,
            }
            for row in rows
        ]
    }

"""Loops of learning and labelling by calls: begin one or let it go on, see where each stands, end one."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import UserAppIDSet
from sqlalchemy import Connection, Row

from labelwright.errors import DoesNotExist, InvalidRequest
from labelwright.protocol import asked
from labelwright.protocol import given as g
from labelwright.protocol.dispatch import Call
from labelwright.protocol.review_messages import show_time
from labelwright.store import jobs
from labelwright.store import loops as stored
from labelwright.training import loop, loop_job, looper

MAX_CONCEPTS = 1000
MOST = 10**9
NUMBERS = ("seed_size", "verify", "batch", "budget", "rounds")


def listing(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """The app's loops, newest first, each with the numbers of its rounds and what it waits for.

    Raises:
        InvalidRequest: something is given.
        LabelwrightError: as `Call.app`.
    """
    asked.only(given)
    with call.store.read() as conn:
        app = call.app(conn, where)
        return {"loops": [_show(conn, row) for row in stored.listing(conn, app.pk)]}


def run(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """Begin a loop, or let the one of this model that has not ended go on; it plays until people are to answer.

    Args:
        given: ``model``, and for a new one ``concepts`` (ids), ``error``, ``confidence``, ``joint``, ``seed_size``,
            ``verify``, ``batch``, ``budget``, ``rounds``: see `labelwright loop run --help`.

    Raises:
        InvalidRequest: something given is not legal.
        LabelwrightError: as `Call.app` and `looper.begin`.
    """
    params = _params(given)
    with call.store.write() as conn:
        app = call.app(conn, where, change=True)
    row, before = looper.begin(call.store, app, params)
    with call.store.write() as conn:
        call.app(conn, where, change=True)
        loop_job.enqueue(conn, app.pk, row.pk)
        newest = stored.by_pk(conn, row.pk)
        shown = _show(conn, newest if newest is not None else row)
    return {"loop": shown, "began": not before}


def stop(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """End a loop for good; what it labelled stays.

    Args:
        given: ``loop``, its id.

    Raises:
        DoesNotExist: the app has none with this id; or as `Call.app`.
    """
    id_ = g.needed(given, "loop", most=64)
    with call.store.write() as conn:
        app = call.app(conn, where, change=True)
        row = next((r for r in stored.listing(conn, app.pk) if r.id == id_), None)
    if row is None:
        raise DoesNotExist(f"app {app.id!r} has no loop {id_!r}")
    return {"stopped": looper.stop(call.store, row)}


def _params(given: g.Given) -> loop.Params:
    params = loop.Params(
        model=g.needed(given, "model"),
        concepts=tuple(g.texts(given, "concepts", most=MAX_CONCEPTS)),
        seed=secrets.randbits(48),
    )
    for name in ("error", "confidence"):
        if (number := g.number(given, name, 0, 1)) is not None:
            params = replace(params, **{name: number})  # type: ignore[arg-type]
    whole = {name: n for name in NUMBERS if (n := g.whole(given, name, 0, MOST)) is not None}
    joint = given.get("joint", True)
    if not isinstance(joint, bool):
        raise InvalidRequest(f"joint is {joint!r}; true or false is legal")
    params = replace(params, joint=joint, **whole)  # type: ignore[arg-type]
    params.check()
    if "verify" not in whole:
        params = replace(params, verify=loop.verify_by_default(params.error, params.confidence, params.rounds))
    return params


def _show(conn: Connection, row: Row[Any]) -> dict[str, Any]:
    """A loop, and what became of the job that played it last."""
    played = [j for j in jobs.latest(conn, row.app, loop_job.KIND) if j.params.get("loop") == row.pk]
    waits = bool(played) and played[0].state in jobs.UNFINISHED
    return {
        "id": row.id,
        "state": row.state,
        "step": row.cursor["step"],
        "round": row.cursor["round"],
        "message": row.message,
        "playing": waits,
        "last": "" if waits or not played else played[0].message,
        "params": row.params,
        "rounds": row.rounds,
        "created_at": show_time(row.created_at),
        "modified_at": show_time(row.modified_at),
    }

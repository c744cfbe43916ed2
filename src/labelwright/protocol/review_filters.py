"""Which items a reviewer wants to see: the filters as the review pages' addresses hold them."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Data
from sqlalchemy import Connection, Row

from labelwright.protocol import given as g
from labelwright.store import concepts, runs
from labelwright.store.review_items import FLAGGED, PENDING, Filter

STATUSES = {"pending": PENDING, "flagged": FLAGGED}

MAX_CONCEPTS = 100

# What an input keeps in its wire is one medium and nothing else, so that the first byte, which is a field's number
# and type, says of which kind it is.
_KINDS = {name: Data.DESCRIPTOR.fields_by_name[name].number << 3 | 2 for name in ("image", "text", "video", "audio")}


def read_filter(conn: Connection, app: Row[Any], given: g.Given) -> Filter:
    """The filter that was given: ``concept`` (several are legal), ``min``, ``max``, ``model_version``, ``run``,
    ``status`` and ``kind``.

    Raises:
        InvalidRequest: one of them is not legal.
    """
    status = STATUSES[g.one_of(given, "status", list(STATUSES))]
    low, high = g.number(given, "min", 0, 1), g.number(given, "max", 0, 1)
    ids = g.texts(given, "concept", most=MAX_CONCEPTS)
    run_id = g.text(given, "run")
    kind = g.one_of(given, "kind", ["", *_KINDS])
    # What is asked for and not there is found nowhere: a queue of a concept that was deleted is empty.
    found = None if not ids else tuple(sorted(concepts.keys(conn, app.pk, set(ids)).values()))
    run = None
    if run_id is not None:
        row = runs.of_app(conn, app.pk, run_id)
        run = row.pk if row is not None else 0
    return Filter(
        status_code=status,
        concepts=found,
        low=low,
        high=high,
        model_version_id=g.text(given, "model_version"),
        run=run,
        kind=bytes([_KINDS[kind]]) if kind else None,
    )

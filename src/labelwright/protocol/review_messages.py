"""Items of the review queue as the pages see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Data
from sqlalchemy import Connection, Row

from labelwright.annotator.labels import WHOLE
from labelwright.protocol.hosted import Hosting
from labelwright.protocol.places import place_of
from labelwright.protocol.resources.input_messages import said_of, to_wire
from labelwright.protocol.rest.printing import show_message
from labelwright.protocol.wire import parse
from labelwright.store import annotation_workers, inputs, runs
from labelwright.store import annotations as stored
from labelwright.store.review_items import FLAGGED

Shown = dict[str, Any]

_NOTHING = Data()


def show_time(microseconds: int) -> str:
    """A time of the store as ISO 8601, in UTC."""
    return (
        datetime.fromtimestamp(microseconds / 1_000_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def show_inputs(conn: Connection, app: Row[Any], pks: Iterable[int], hosting: Hosting) -> dict[int, Shown]:
    """Input key to the input as the API's JSON, for those that there are."""
    rows = inputs.by_pks(conn, pks)
    said = said_of(conn, app, rows)
    return {row.pk: show_message(to_wire(row, said.get(row.pk), hosting)) for row in rows}


def show_items(
    conn: Connection, app: Row[Any], groups: Sequence[tuple[Row[Any], Sequence[Row[Any]] | None]], hosting: Hosting
) -> list[Shown]:
    """Items with their inputs, all that is needed asked for at once.

    Args:
        groups: rows of `review_items`, each with the others of its input; None where these are not to be shown.
    """
    rows = [row for first, others in groups for row in (first, *(others or ()))]
    if not rows:
        return []
    seen = _Seen(conn, rows)
    shown = show_inputs(conn, app, {row.input for row in rows}, hosting)
    made = []
    for first, others in groups:
        if first.input not in shown:
            continue
        item = {**seen.show(first), "input": shown[first.input]}
        if others is not None:
            item["others"] = [seen.show(row) for row in others]
        made.append(item)
    return made


class _Seen:
    """What a few items show of their annotations, concepts, models and runs."""

    def __init__(self, conn: Connection, rows: Sequence[Row[Any]]) -> None:
        pks = {row.annotation for row in rows}
        self._annotations = {row.pk: row for row in stored.by_pks(conn, list(pks))}
        self._data: dict[int, Data] = {}
        self._concepts = {
            (row.annotation, row.position): row for found in stored.concepts_of(conn, pks).values() for row in found
        }
        versions = {row.model_version_id for row in rows} - {""}
        self._models: Mapping[str, Row[Any]] = annotation_workers.models(conn, versions) if versions else {}
        self._runs = runs.ids(conn, {row.run for row in rows if row.run is not None})

    def show(self, row: Row[Any]) -> Shown:
        """One item, without its input."""
        annotation = self._annotations[row.annotation]
        concept = self._concepts[row.annotation, row.position]
        return {
            "item": f"{annotation.id}.{row.position}",
            "annotation_id": annotation.id,
            "concept": {"id": concept.id, "name": concept.name},
            "score": concept.score,
            "status": "flagged" if row.status_code == FLAGGED else "pending",
            "model": self._model(row.model_version_id),
            "workflow_version_id": annotation.workflow_version_id,
            "run": self._runs.get(row.run),
            "created_at": show_time(annotation.created_at),
            "place": self._place(annotation, concept.slot),
        }

    def _place(self, annotation: Row[Any], slot: int) -> Shown:
        if slot == WHOLE:
            return place_of(_NOTHING, WHOLE)
        data = self._data.get(annotation.pk)
        if data is None:
            data = self._data[annotation.pk] = parse(Data, annotation.wire)
        return place_of(data, slot)

    def _model(self, version_id: str) -> Shown | None:
        if not version_id:
            return None
        row = self._models.get(version_id)
        # A version that was deleted meanwhile still has a name of its own.
        return {"id": row.id if row else "", "name": row.name if row else "", "version_id": version_id}

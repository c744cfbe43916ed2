"""The Data of annotations: what is legal in it, and the way between it and the store's rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import BoundingBox, Concept, Data, Geo, RegionInfo
from google.protobuf.message import DecodeError
from sqlalchemy import Connection, Row

from labelwright.annotator.labels import Label, places, put_together, take_apart
from labelwright.errors import InvalidRequest, LabelwrightError, StoreError
from labelwright.ids import free_id_problem, new_id
from labelwright.protocol.metadata import checked
from labelwright.store import apps, concepts
from labelwright.store.annotations import NewConcept
from labelwright.store.inputs import AppKey

BOX_SLACK = 1e-3
"""How far a box may reach over the edge: boxes made of rounded pixels overshoot by a pixel of a thousand."""

MAX_CONCEPTS = 10_000
"""Different concepts in one call: 50,000 new ones held the store's only writer for 14 seconds."""

Error = type[LabelwrightError]


def clean(data: Data, error: Error) -> Data:
    """A checked copy: of concepts that come twice in a place the last one counts, and each region has an id.

    Args:
        error: what is raised for data that is not legal.
    """
    made = Data()
    made.CopyFrom(data)
    for place in places(made):
        if place.concepts:
            _clean_concepts(place, error)
        if place.HasField("metadata"):
            try:
                checked(place.metadata)
            except InvalidRequest as e:
                raise error(e.details) from None
        if place.HasField("geo"):
            _check_geo(place.geo, error)
    for frame in made.frames:
        for region in frame.data.regions:
            _check_region(region.region_info, error)
    for region in made.regions:
        _check_region(region.region_info, error)
    return made


def identify(data: Data) -> None:
    """Give an id to each region and frame that has none, so that a later patch can name it."""
    for region in data.regions:
        region.id = region.id or new_id()
    for frame in data.frames:
        frame.id = frame.id or new_id()
        for region in frame.data.regions:
            region.id = region.id or new_id()


def _clean_concepts(place: Data, error: Error) -> None:
    by_id: dict[str, Concept] = {}
    for concept in place.concepts:
        if problem := free_id_problem(concept.id):
            raise error(f"concept id: {problem}")
        concept.name = concept.name.strip()
        if concept.name and (problem := free_id_problem(concept.name)):
            raise error(f"name of concept {concept.id!r}: {problem}")
        if not 0 <= concept.value <= 1:
            raise error(f"value of concept {concept.id!r} is {concept.value:g}; 0 to 1 are legal")
        by_id[concept.id] = concept
    if len(by_id) < len(place.concepts):
        kept = list(by_id.values())
        place.ClearField("concepts")
        place.concepts.extend(kept)


def _check_geo(geo: Geo, error: Error) -> None:
    points = [geo.geo_point, *(box.geo_point for box in geo.geo_box)]
    if not all(-180 <= p.longitude <= 180 and -90 <= p.latitude <= 90 for p in points):
        raise error("geo: legal are longitudes of -180 to 180 and latitudes of -90 to 90 degrees")


def _check_region(info: RegionInfo, error: Error) -> None:
    _check_box(info.bounding_box, error)
    for point in (info.point, *info.polygon.points, *info.keypoint_locations):
        if not (math.isfinite(point.row) and math.isfinite(point.col) and math.isfinite(point.z)):
            raise error(
                f"a point of a region has row {point.row:g}, column {point.col:g} and z {point.z:g}; numbers are legal"
            )


def _check_box(box: BoundingBox, error: Error) -> None:
    low, high = -BOX_SLACK, 1 + BOX_SLACK
    if not (low <= box.top_row <= box.bottom_row <= high and low <= box.left_col <= box.right_col <= high):
        raise error(
            f"bounding_box has rows {box.top_row:g} to {box.bottom_row:g} and columns {box.left_col:g} to "
            f"{box.right_col:g}; legal are fractions of the image from 0 to 1, top above bottom and left before right"
        )


def is_empty(message: Any) -> bool:
    """Whether a message says nothing: no field, or only fields that are there and say nothing themselves."""
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            return False
        if field.is_repeated:
            if any(not is_empty(v) for v in value):
                return False
        # The box of the whole corner is all zeros, and a null is a value.
        elif field.name == "bounding_box" or not is_empty(value):
            return False
    return True


def register(conn: Connection, app: Row[Any], datas: Iterable[Data]) -> dict[str, Row[Any]]:
    """The rows of all concepts in ``datas`` by id; those that the app lacks are made.

    Raises:
        InvalidRequest: there are more than MAX_CONCEPTS.
    """
    names: dict[str, str] = {}
    for data in datas:
        for place in places(data):
            for c in place.concepts:
                names[c.id] = names.get(c.id) or c.name
    if not names:
        return {}
    if len(names) > MAX_CONCEPTS:
        raise InvalidRequest(f"{len(names)} different concepts in one call; {MAX_CONCEPTS} at most are legal")
    found = concepts.by_ids(conn, app.pk, names)
    missing = {i: name for i, name in names.items() if i not in found}
    if missing:
        concepts.ensure(conn, app.pk, missing)
        apps.bump(conn, app.pk)
        found |= concepts.by_ids(conn, app.pk, missing)
    return found


def to_rows(
    data: Data,
    known: Mapping[str, Row[Any]],
    scores: Mapping[tuple[int, int], float | None] | None = None,
) -> tuple[bytes, list[NewConcept]]:
    """What the store keeps of an annotation's data: the bytes, and the concepts.

    Args:
        known: the rows of its concepts by id, as from `register`.
        scores: by slot and concept key, the scores that models gave before.
    """
    wire, found = take_apart(data)
    return wire, [_row(label, known[label.concept_id].pk, scores or {}) for label in found]


def _row(label: Label, pk: int, scores: Mapping[tuple[int, int], float | None]) -> NewConcept:
    return NewConcept(pk, label.value, scores.get((label.slot, pk)), label.slot)


def from_rows(wire: bytes, rows: Sequence[Row[Any]], app: Row[Any] | AppKey) -> Data:
    """An annotation's data as clients see it.

    Args:
        rows: its concepts as from `annotations.concepts_of`.

    Raises:
        StoreError: the stored bytes can't be read.
    """
    try:
        return put_together(
            wire,
            [(r.slot, Concept(id=r.id, name=r.name, value=r.value, app_id=app.id, user_id=app.user_id)) for r in rows],
        )
    except DecodeError as e:
        raise StoreError(f"a stored Data can't be read: {e}") from None


def dressed(data: Data, known: Mapping[str, Row[Any]], app: Row[Any]) -> Data:
    """The same of data that is on its way into the store: a copy in which each concept looks as if read from it."""
    made = Data()
    made.CopyFrom(data)
    for place in places(made):
        for c in place.concepts:
            c.CopyFrom(Concept(id=c.id, name=known[c.id].name, value=c.value, app_id=app.id, user_id=app.user_id))
    return made

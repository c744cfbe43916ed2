"""Inputs as clients see them, and what of an input's data is media and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from clarifai_grpc.grpc.api.resources_pb2 import Data, Input
from sqlalchemy import Connection, Row

from labelwright.errors import InputInvalidArgument, LabelwrightError
from labelwright.media.blobs import BlobStore
from labelwright.media.variants import sizes_below
from labelwright.protocol.hosted import Hosting
from labelwright.protocol.resources.annotation_data import clean, from_rows
from labelwright.protocol.wire import parse, set_time, status
from labelwright.store import annotations as stored

log = structlog.get_logger("labelwright.inputs")

MAX_INPUTS = 128
MEDIA = ("image", "video", "audio", "text")
SAID = ("concepts", "metadata", "geo")
"""What is kept in the input-level annotation."""


def said(data: Data) -> Data:
    """A checked copy of what is said of an input: its concepts, metadata and geo.

    Raises:
        InputInvalidArgument: one of them is not legal, or there is anything else beside the media.
    """
    for field, _ in data.ListFields():
        if field.name not in MEDIA and field.name not in SAID:
            raise InputInvalidArgument(
                f"data.{field.name} is not legal in an input: legal beside the media are {', '.join(SAID)}; "
                "post regions and frames with PostAnnotations"
            )
    copy = Data(concepts=data.concepts)
    if data.HasField("metadata"):
        copy.metadata.CopyFrom(data.metadata)
    if data.HasField("geo"):
        copy.geo.CopyFrom(data.geo)
    return clean(copy, InputInvalidArgument)


def said_of(conn: Connection, app: Row[Any], rows: Sequence[Row[Any]]) -> dict[int, Data]:
    """What is said of inputs, by the input's key; those of which nothing is said are left out."""
    levels = stored.input_level(conn, [row.pk for row in rows])
    concepts = stored.concepts_of(conn, [level.pk for level in levels.values()])
    return {key: from_rows(level.wire, concepts[level.pk], app) for key, level in levels.items()}


def to_wire(row: Row[Any], said: Data | None, hosting: Hosting) -> Input:
    """An input as clients see it."""
    made = Input(id=row.id, status=status(row.status_code, row.status_details))
    made.data.CopyFrom(parse(Data, row.wire))
    hosting.show(made.data, row.pk, kept=row.media is not None)
    if said is not None:
        made.data.MergeFrom(said)
    set_time(made.created_at, row.created_at)
    set_time(made.modified_at, row.modified_at)
    return made


def all_to_wire(rows: Sequence[Row[Any]], said: Mapping[int, Data], hosting: Hosting) -> list[Input]:
    """Several inputs as clients see them."""
    return [to_wire(row, said.get(row.pk), hosting) for row in rows]


def forget_media(blobs: BlobStore, media: Sequence[str]) -> None:
    """Delete media that no row names any more. What can't be deleted stays and is logged: it does no harm."""
    for key in media:
        try:
            blobs.delete(key)
            blobs.delete_prefix(sizes_below(key))
        except LabelwrightError as e:
            log.warning("media of a deleted input stay", key=key, reason=e.details)

"""Models and their versions as clients see them, as the store keeps them, and where they are found."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api import resources_pb2
from clarifai_grpc.grpc.api.status import status_code_pb2
from sqlalchemy import Connection, Row

from labelwright.errors import ModelDoesNotExist
from labelwright.models.catalogue import PUBLIC_APP, PUBLIC_USER
from labelwright.protocol.dispatch import Call
from labelwright.protocol.wire import parse, set_time, status, without
from labelwright.store import apps, models

COMPUTED = (
    "id",
    "name",
    "created_at",
    "modified_at",
    "app_id",
    "user_id",
    "model_type_id",
    "output_info",
    "model_version",
    "languages_full",
    "is_starred",
    "star_count",
    "bookmark_origin",
    "version_count",
    "featured_order",
    "replica_count",
)
"""Fields of a model that are columns, lie with the version, or are nobody's to set."""

VERSION_COMPUTED = (
    "id",
    "created_at",
    "modified_at",
    "completed_at",
    "status",
    "active_concept_count",
    "total_input_count",
    "metrics",
    "app_id",
    "user_id",
    "train_log",
)
"""The same for a version."""


LEARNED = ("status", "completed_at", "total_input_count")
"""Of these, what a training has written into the version as it is stored."""


def version_to_wire(version: Row[Any], app: Row[Any]) -> resources_pb2.ModelVersion:
    """A model version as clients see it.

    Args:
        app: where its model is: needs `id` and `user_id`.
    """
    wire = parse(resources_pb2.ModelVersion, version.wire)
    wire.id, wire.app_id, wire.user_id = version.id, app.id, app.user_id
    said = wire.status
    told = status(version.status_code)
    if said.code == version.status_code:
        told.details, told.percent_completed = said.details, said.percent_completed
    wire.status.CopyFrom(told)
    wire.active_concept_count = len(wire.output_info.data.concepts)
    wire.visibility.gettable = wire.visibility.gettable or resources_pb2.Visibility.PRIVATE
    set_time(wire.created_at, version.created_at)
    set_time(wire.modified_at, version.modified_at)
    return wire


def to_wire(row: Row[Any], app: Row[Any], version: Row[Any] | None, *, asked: str = "") -> resources_pb2.Model:
    """A model as clients see it, its settings at the old place and the new.

    Args:
        version: the version to show; None for a model that has none yet.
        asked: the id that it was asked for under, which may be its alias.
    """
    wire = parse(resources_pb2.Model, row.wire)
    wire.id, wire.name = asked or row.id, row.name
    wire.app_id, wire.user_id, wire.model_type_id = app.id, app.user_id, row.model_type_id
    wire.visibility.gettable = wire.visibility.gettable or resources_pb2.Visibility.PRIVATE
    # What a tag is called is not known here beyond the tag itself.
    wire.languages_full.extend(resources_pb2.FullTag(id=tag, name=tag) for tag in wire.languages)
    set_time(wire.created_at, row.created_at)
    set_time(wire.modified_at, row.modified_at)
    if version is not None:
        wire.model_version.CopyFrom(version_to_wire(version, app))
        if wire.model_version.HasField("output_info"):
            wire.output_info.CopyFrom(wire.model_version.output_info)
    return wire


def model_bytes(model: resources_pb2.Model) -> bytes:
    """What the store keeps of a model beside its columns."""
    return without(model, *COMPUTED)


def version_bytes(
    version: resources_pb2.ModelVersion, info: resources_pb2.OutputInfo, *, learned: bool = False
) -> bytes:
    """What the store keeps of a version beside its columns.

    Args:
        learned: the version is a stored one, and keeps what its training wrote.
    """
    kept = resources_pb2.ModelVersion()
    kept.CopyFrom(version)
    kept.output_info.CopyFrom(info)
    return without(kept, *(name for name in VERSION_COMPUTED if not (learned and name in LEARNED)))


def add_version(
    conn: Connection,
    model: int,
    version: resources_pb2.ModelVersion,
    info: resources_pb2.OutputInfo,
    *,
    trained: bool = True,
) -> int:
    """Add a version; returns its key. ``trained``: it can be used, since it needs no training."""
    code = status_code_pb2.MODEL_TRAINED if trained else status_code_pb2.MODEL_UNTRAINED
    return models.add_version(conn, model, status_code=code, wire=version_bytes(version, info))


def public_app(conn: Connection) -> Row[Any] | None:
    """The public app."""
    return apps.get(conn, PUBLIC_USER, PUBLIC_APP)


def find(conn: Connection, call: Call, user_app_id: Any, model_id: str) -> tuple[Row[Any], Row[Any]]:
    """A model for reading, by its id or alias, and its app: in the app named or else in the public one.

    Raises:
        InvalidRequest, DoesNotExist: no app is named, or the key can't see it.
        ModelDoesNotExist: neither app has it.
    """
    app = call.app(conn, user_app_id)
    row = models.get(conn, app.pk, model_id)
    if row is None and (public := public_app(conn)) is not None and public.pk != app.pk:
        row = models.get(conn, public.pk, model_id)
        if row is not None:
            return public, row
    if row is None:
        raise ModelDoesNotExist(f"neither app {app.id!r} nor {PUBLIC_USER}/{PUBLIC_APP} has a model {model_id!r}")
    return app, row


def find_version(conn: Connection, model: Row[Any], version_id: str) -> Row[Any]:
    """A version of a model.

    Raises:
        ModelDoesNotExist: it has none of this id.
    """
    row = models.version(conn, model.pk, version_id) if version_id else None
    if row is None:
        newest = models.version(conn, model.pk)
        there = f"its newest is {newest.id!r}" if newest is not None else "it has no version yet"
        raise ModelDoesNotExist(f"model {model.id!r} has no version {version_id!r}; {there}")
    return row

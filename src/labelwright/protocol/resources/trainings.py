"""What trains a version: what it is asked to learn, its place in the queue, what it said meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import structlog
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from sqlalchemy import Connection, Row

from labelwright.annotator.plans import output_info
from labelwright.errors import InvalidRequest, LabelwrightError, ModelInvalidArgument, TrainingInvalidParams
from labelwright.operators.registry import ModelType
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources import model_settings as settings
from labelwright.protocol.resources.model_wire import find, find_version, public_app
from labelwright.protocol.wire import MAX_PER_PAGE
from labelwright.store import models, trainings
from labelwright.training import embedders
from labelwright.training.params import Asked, checked, datasets_not_served

log = structlog.get_logger("labelwright.train")

QUEUED = 21103
"""The API's MODEL_QUEUED_FOR_TRAINING."""

LOG_TYPE = "training"
LOGS_PER_PAGE = 32
"""The API's own default."""


def inherited(conn: Connection, model: Row[Any], posted: resources_pb2.ModelVersion) -> resources_pb2.OutputInfo:
    """The settings of a version to be trained: what is left out, it takes over from the model's newest version."""
    newest = models.version(conn, model.pk)
    info = resources_pb2.OutputInfo()
    if newest is not None:
        info = settings.only_settings(output_info(newest.wire))
        training = trainings.get(conn, newest.pk)
        if training is not None:
            # What it was asked to learn, and not what it found: there may be labels of other concepts by now.
            del info.data.concepts[:]
            info.data.concepts.extend(resources_pb2.Concept(id=i) for i in training.params["concepts"])
    settings.lay_over(info, posted.output_info)
    return info


def what_is_asked(
    conn: Connection,
    call: Call,
    app: Row[Any],
    model_type: ModelType,
    posted: resources_pb2.ModelVersion,
    info: resources_pb2.OutputInfo,
) -> Asked:
    """What a version that is posted is to learn.

    Raises:
        TrainingInvalidParams: a parameter is not legal, or it names a dataset.
        ModelInvalidArgument: it brings weights, or names a model that is no embedder.
    """
    settings.refuse_weights(posted)
    train = posted.train_info
    if train.HasField("dataset"):
        raise TrainingInvalidParams(datasets_not_served(train.dataset.id))
    if train.resume_from_model.id or train.resume_from_model.model_version.id:
        raise ModelInvalidArgument(
            "train_info.resume_from_model: each training begins anew, which takes seconds; leave it out"
        )
    config = info.output_config
    notes = []
    if config.hyper_params.fields:
        notes.append("hyper_params are kept and not used: train_info.params says what a training can be set by")
    if config.fail_on_missing_positive_examples:
        notes.append("a concept without positive examples ends a training in any case")
    return Asked(
        concepts=tuple(c.id for c in info.data.concepts),
        exclusive=config.concepts_mutually_exclusive,
        timeout=config.training_timeout,
        embedder=_embedder(conn, call, app, posted, config),
        notes=tuple(notes),
        **checked(model_type, settings.plain(train.params)),
    )


def _embedder(
    conn: Connection,
    call: Call,
    app: Row[Any],
    posted: resources_pb2.ModelVersion,
    config: resources_pb2.OutputConfig,
) -> int:
    """The key of the embedder's version that is named; 0 where none is."""
    named = posted.input_info.base_embed_model
    pk = 0
    if named.id:
        where = resources_pb2.UserAppIDSet(user_id=named.user_id or app.user_id, app_id=named.app_id or app.id)
        public = public_app(conn)
        if public is not None and named.app_id == public.id and named.user_id in ("", public.user_id):
            where = resources_pb2.UserAppIDSet(user_id=public.user_id, app_id=public.id)
        _, row = find(conn, call, where, named.id)
        newest = None if named.model_version.id else models.newest_usable(conn, [row.pk]).get(row.pk)
        pk = (newest or find_version(conn, row, named.model_version.id)).pk
    elif version_id := config.embed_model_version_id:
        public = public_app(conn)
        homes = [app.pk] if public is None else [app.pk, public.pk]
        found = trainings.embedding_versions(conn, homes, version_id)
        if not found:
            raise ModelInvalidArgument(
                f"output_config.embed_model_version_id: neither this app nor clarifai/main has a version {version_id!r}"
            )
        pk = found[0]
    if pk and not embedders.embeds(models.versions_by_pk(conn, [pk])[pk]):
        raise ModelInvalidArgument("the model named as the embedder makes no embeddings; name a visual-embedder")
    return pk


def enqueue(conn: Connection, app: Row[Any], version: int, asked: Asked) -> str:
    """Queue the training of a version that has just been added; returns the id of its job."""
    models.change_version(conn, version, status_code=QUEUED)
    return trainings.add(conn, app.pk, version, asked.to_json())


def drop(call: Call, keys: Iterable[str]) -> None:
    """Remove arrays of versions that have been deleted from the media store."""
    for key in keys:
        try:
            call.server.blobs.delete(key)
        except LabelwrightError:
            # The version is gone all the same; the bytes go with the app.
            log.exception("what a deleted version had learned could not be removed", key=key)


@serves("ListLogEntries")
def list_log_entries(call: Call, request: service_pb2.ListLogEntriesRequest) -> service_pb2.MultiLogEntryResponse:
    """What the training of a version said, oldest first; no page named: the last."""
    if request.log_type not in ("", LOG_TYPE):
        raise InvalidRequest(
            f"log_type is {request.log_type!r}; this server keeps the logs of trainings, log_type {LOG_TYPE!r}"
        )
    if not request.model_id:
        raise InvalidRequest("model_id is empty; logs are kept of the trainings of models: name one")
    per_page = request.per_page or LOGS_PER_PAGE
    if per_page > MAX_PER_PAGE:
        raise InvalidRequest(f"per_page is {per_page}; legal are 1 to {MAX_PER_PAGE}")
    with call.store.read() as conn:
        home, model = find(conn, call, request.user_app_id, request.model_id)
        if request.model_version_id:
            version: Row[Any] | None = find_version(conn, model, request.model_version_id)
        else:
            version = models.version(conn, model.pk)
        training = trainings.get(conn, version.pk) if version is not None else None
    entries = training.log if training is not None else []
    last = max(1, -(-len(entries) // per_page))
    start = ((request.page or last) - 1) * per_page
    reply = service_pb2.MultiLogEntryResponse(page=request.page or last, per_page=per_page)
    for at, text in entries[start : start + per_page]:
        when = datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="milliseconds")
        # The API's entries have no time of their own.
        entry = reply.log_entries.add(message=f"{when} {text}", log_type=LOG_TYPE)
        entry.meta.user_app_id.user_id, entry.meta.user_app_id.app_id = home.user_id, home.id
        entry.meta.model_id = model.id
        entry.meta.model_version_id = version.id if version is not None else ""
    return reply

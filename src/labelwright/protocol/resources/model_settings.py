"""What a model version is set by (``output_info``): reading it, filling it in, and checking that it can run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2
from google.protobuf import json_format
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from sqlalchemy import Connection, Row

from labelwright.errors import InvalidRequest, LabelwrightError, ModelInvalidArgument
from labelwright.models.loading import load
from labelwright.operators import registry
from labelwright.operators.registry import Kind, ModelType, check_params
from labelwright.operators.values import Snapshot
from labelwright.store import knowledge_graphs
from labelwright.training.params import EXCLUSIVE, TRAIN_PARAMS

MAX_CONCEPTS = 200
"""Concepts that a reply may be told to show."""

DEFAULT_TYPE = "embedding-classifier"
"""What a model is whose type nobody named."""

FIELDS = ("data", "params", "output_config")
"""What counts of an ``output_info``."""


@contextmanager
def about(what: str) -> Iterator[None]:
    """Name in the details of an error what it is about."""
    try:
        yield
    except LabelwrightError as e:
        raise type(e)(f"{what}: {e.details or e.description}") from None


def creatable() -> str:
    """The ids of the model types that models can be added of, for messages."""
    return ", ".join(t.id for t in registry.all_types() if is_creatable(t))


def is_creatable(model_type: ModelType) -> bool:
    """Whether models of a type can be added: its versions are made from parameters, or learn."""
    return model_type.make is not None or model_type.id in TRAIN_PARAMS


def known_type(model_type_id: str) -> ModelType:
    """The type of a model to be added; an empty id means an embedding-classifier.

    Raises:
        ModelInvalidArgument: there is no such type, or models of it can't be added by a call.
    """
    model_type = registry.get(model_type_id or DEFAULT_TYPE)
    if not is_creatable(model_type):
        raise ModelInvalidArgument(
            f"versions of a {model_type_id} come with weights or code and can't be made from parameters; "
            f"types of which models can be added are: {creatable()}"
        )
    return model_type


def learns(model_type: ModelType) -> bool:
    """Whether versions of a type are trained."""
    return model_type.id in TRAIN_PARAMS


def refuse_weights(version: resources_pb2.ModelVersion) -> None:
    """Refuse weights that a version of a type that learns is posted with.

    Raises:
        ModelInvalidArgument: there are some.
    """
    if version.HasField("pretrained_model_config"):
        raise ModelInvalidArgument(
            "model_version.pretrained_model_config: weights can't be uploaded by a call; leave it out, and the version "
            "learns from the app's labels"
        )


def given(model: resources_pb2.Model) -> resources_pb2.OutputInfo | None:
    """The settings that a model is posted with; None where it is posted with none.

    They may stand at ``output_info`` or at ``model_version.output_info``; of a field at both places, the
    version's counts.
    """
    places = [holder.output_info for holder in (model, model.model_version) if holder.HasField("output_info")]
    if not places:
        return None
    info = resources_pb2.OutputInfo()
    for place in places:
        lay_over(info, place)
    return info


def lay_over(info: resources_pb2.OutputInfo, place: resources_pb2.OutputInfo) -> None:
    """Replace the fields of ``info`` that ``place`` has."""
    for field in FIELDS:
        if place.HasField(field):  # type: ignore[arg-type]
            getattr(info, field).CopyFrom(getattr(place, field))


def changed_since(model: resources_pb2.Model, current: resources_pb2.OutputInfo) -> resources_pb2.OutputInfo:
    """Of the settings in a patch, those that differ from the current ones.

    A client that changes what it was given and sends it back changes one of the two places, and the other
    still holds what was: that is no change.
    """
    info = resources_pb2.OutputInfo()
    for place in (model.output_info, model.model_version.output_info):
        for field in FIELDS:
            if place.HasField(field) and getattr(place, field) != getattr(current, field):  # type: ignore[arg-type]
                getattr(info, field).CopyFrom(getattr(place, field))
    return info


def only_settings(info: resources_pb2.OutputInfo) -> resources_pb2.OutputInfo:
    """A copy with the fields that count."""
    copy = resources_pb2.OutputInfo()
    lay_over(copy, info)
    return copy


def with_defaults(model_type: ModelType, info: resources_pb2.OutputInfo) -> None:
    """Write the defaults of parameters that are left out into ``info``; those given stay as they were given.

    Thresholds among the parameters, where a YAML file of the SDK alone can say them, move to their own place.

    Raises:
        ModelInvalidArgument: they are no list of concepts, or there are thresholds in both places.
    """
    if learns(model_type) and EXCLUSIVE in info.params.fields:
        # The SDK takes what a training can be set by for what a prediction can, and sends it at both places.
        said = plain(info.params)[EXCLUSIVE]
        del info.params.fields[EXCLUSIVE]
        if not isinstance(said, bool):
            raise ModelInvalidArgument(f"output_info.params.{EXCLUSIVE} is {said!r}; legal is true or false")
        info.output_config.concepts_mutually_exclusive = said or info.output_config.concepts_mutually_exclusive
    for param in model_type.params:
        if param.kind is Kind.THRESHOLDS and param.name in info.params.fields:
            _move_thresholds(model_type, param.name, info)
    for param in model_type.params:
        if param.kind is Kind.THRESHOLDS or param.default is None or param.name in info.params.fields:
            continue
        info.params.update({param.name: param.default})


def _move_thresholds(model_type: ModelType, name: str, info: resources_pb2.OutputInfo) -> None:
    listed = plain(info.params)[name]
    del info.params.fields[name]
    try:
        moved = ParseDict({"concepts": listed}, resources_pb2.Data())
    except json_format.Error as e:
        raise ModelInvalidArgument(
            f"{model_type.id}: output_info.params.{name} is no list of concepts with id and value: {e}"
        ) from None
    if moved.concepts and info.data.concepts and moved.concepts[:] != info.data.concepts[:]:
        raise ModelInvalidArgument(
            f"{model_type.id}: thresholds are given in output_info.data and in output_info.params; legal is one place"
        )
    if moved.concepts and not info.data.concepts:
        info.data.concepts.extend(moved.concepts)


def needs_settings(model_type: ModelType) -> bool:
    """Whether no version of this type can do without parameters."""
    return any(p.required for p in model_type.params)


def check(
    conn: Connection, app: Row[Any], snap: Snapshot, model_type: ModelType, info: resources_pb2.OutputInfo
) -> None:
    """Look whether these settings mean an operator, for work in ``app``, or one that can be trained.

    Raises:
        ModelInvalidArgument: they mean none.
    """
    params = plain(info.params)
    check_config(info.output_config)
    check_graph(conn, app, params)
    if not learns(model_type):
        load(model_type, "", params, info.data, snap)
        return
    check_params(model_type, params)
    ids = [c.id for c in info.data.concepts]
    if not all(ids) or len(set(ids)) < len(ids):
        raise ModelInvalidArgument(
            "output_info.data.concepts: a concept without an id, or one that is named twice; name each once, by its id"
        )


def check_json(message: Message) -> None:
    """Refuse what could be stored and never be shown over JSON: an infinite number inside a JSON object.

    Raises:
        InvalidRequest: there is one.
    """
    try:
        MessageToDict(message)
    except (json_format.Error, ValueError) as e:
        raise InvalidRequest(f"a JSON object in it can't be written as JSON: {e}") from None


def plain(params: Struct) -> dict[str, Any]:
    """Parameters as plain values.

    Raises:
        ModelInvalidArgument: one is infinite or not a number.
    """
    try:
        values: dict[str, Any] = MessageToDict(params)
    except ValueError as e:
        raise ModelInvalidArgument(f"output_info.params can't be written as JSON: {e}") from None
    return values


def check_config(config: resources_pb2.OutputConfig) -> None:
    """Refuse a floor that no score can be compared to, and a reply that is too long.

    Raises:
        ModelInvalidArgument: ``min_value`` is not from 0 to 1, or ``max_concepts`` above 200.
    """
    if config.max_concepts > MAX_CONCEPTS:
        raise ModelInvalidArgument(
            f"output_config.max_concepts is {config.max_concepts}; 1 to {MAX_CONCEPTS} are legal, 0 means 20"
        )
    if not (math.isfinite(config.min_value) and 0 <= config.min_value <= 1):
        raise ModelInvalidArgument(f"output_config.min_value is {config.min_value}; legal are 0 to 1")


def check_graph(conn: Connection, app: Row[Any], params: Mapping[str, Any]) -> None:
    """Refuse a ``knowledge_graph_id`` that the app has no graph for.

    Raises:
        ModelInvalidArgument: it names none; says which there are.
    """
    graph = params.get("knowledge_graph_id")
    if not isinstance(graph, str) or not graph or knowledge_graphs.existing(conn, app.pk, [graph]):
        return
    there = ", ".join(repr(row.id) for row in knowledge_graphs.all_of(conn, app.pk)) or "none"
    raise ModelInvalidArgument(
        f"app {app.id!r} has no knowledge graph {graph!r}; there are: {there}; empty means all relations"
    )

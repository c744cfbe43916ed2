"""Model types: what can be posted, and how it is set."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value

from labelwright.errors import DoesNotExist
from labelwright.operators import registry
from labelwright.operators.registry import Kind, ModelType, Param
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources.model_settings import is_creatable
from labelwright.protocol.wire import offset_limit
from labelwright.training.params import EXCLUSIVE, TRAIN_PARAMS


def to_wire(model_type: ModelType) -> resources_pb2.ModelType:
    """A model type as clients see it."""
    return resources_pb2.ModelType(
        id=model_type.id,
        title=model_type.title,
        description=model_type.description,
        input_fields=model_type.inputs,
        output_fields=model_type.outputs,
        trainable=model_type.trainable,
        creatable=is_creatable(model_type),
        model_type_fields=[*(_field(p) for p in model_type.params), *_training(model_type)],
    )


def _training(model_type: ModelType) -> list[resources_pb2.ModelTypeField]:
    """What a training can be set by."""
    if model_type.id not in TRAIN_PARAMS:
        return []
    fields = [_field(p, "train_info.params") for p in TRAIN_PARAMS[model_type.id]]
    if model_type.id != "clusterer":
        said = "Whether each input shows one of the concepts at most, and their scores sum to 1."
        fields.append(_field(Param(EXCLUSIVE, Kind.BOOLEAN, said, False), "output_info.output_config"))
        fields.append(
            resources_pb2.ModelTypeField(
                path="output_info.data.concepts",
                field_type=resources_pb2.ModelTypeField.ARRAY_OF_CONCEPTS,
                description="The concepts to learn; none: all that the app has labels of.",
            )
        )
    return fields


def _field(param: Param, place: str = "") -> resources_pb2.ModelTypeField:
    # Thresholds are concepts of the version's data; all else lies in its params.
    place = place or ("output_info.data" if param.kind is Kind.THRESHOLDS else "output_info.params")
    options = param.options or {}
    field = resources_pb2.ModelTypeField(
        path=f"{place}.{param.name}",
        # The SDK takes it away without looking whether it is there.
        placeholder=param.name,
        field_type=param.kind.value,  # type: ignore[arg-type]  # the numbers are the API's
        description=param.description,
        required=param.required,
        model_type_enum_options=[
            resources_pb2.ModelTypeEnumOption(
                id=name,
                # Found by its number and by its name, as the two ways in which clients send it.
                aliases=[
                    resources_pb2.ModelTypeEnumOptionAlias(id_int=number),
                    resources_pb2.ModelTypeEnumOptionAlias(wildcard_string=name),
                ],
            )
            for name, number in options.items()
        ],
    )
    if param.default is not None:
        field.default_value.CopyFrom(_value(param.default, options))
    return field


def _value(default: Any, options: Any) -> Value:
    names = {number: name for name, number in options.items()}
    return ParseDict(names.get(default, default) if names else default, Value())


@serves("ListModelTypes")
def list_model_types(_call: Call, request: service_pb2.ListModelTypesRequest) -> service_pb2.MultiModelTypeResponse:
    """Every model type of this server, by id; the same for every app."""
    offset, limit = offset_limit(request)
    page = registry.all_types()[offset : offset + limit]
    return service_pb2.MultiModelTypeResponse(model_types=[to_wire(t) for t in page])


@serves("GetModelType")
def get_model_type(_call: Call, request: service_pb2.GetModelTypeRequest) -> service_pb2.SingleModelTypeResponse:
    """One model type."""
    known = {t.id: t for t in registry.all_types()}
    if request.model_type_id not in known:
        raise DoesNotExist(f"there is no model type {request.model_type_id!r}; there are: {', '.join(known)}")
    return service_pb2.SingleModelTypeResponse(model_type=to_wire(known[request.model_type_id]))

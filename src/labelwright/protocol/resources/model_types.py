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
from labelwright.protocol.wire import offset_limit


def to_wire(model_type: ModelType) -> resources_pb2.ModelType:
    """A model type as clients see it."""
    return resources_pb2.ModelType(
        id=model_type.id,
        title=model_type.title,
        description=model_type.description,
        input_fields=model_type.inputs,
        output_fields=model_type.outputs,
        trainable=model_type.trainable,
        creatable=model_type.make is not None,
        model_type_fields=[_field(p) for p in model_type.params],
    )


def _field(param: Param) -> resources_pb2.ModelTypeField:
    # Thresholds are concepts of the version's data; all else lies in its params.
    place = "output_info.data" if param.kind is Kind.THRESHOLDS else "output_info.params"
    options = param.options or {}
    field = resources_pb2.ModelTypeField(
        path=f"{place}.{param.name}",
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

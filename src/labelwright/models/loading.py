"""From a model version to an operator that can run: types without weights by the registry, the others here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Data

from labelwright.errors import ModelInvalidArgument
from labelwright.models import catalogue
from labelwright.models.builtin import operators as builtin
from labelwright.operators.registry import ModelType, check_params
from labelwright.operators.values import Operator, Snapshot

_BUILT_IN: dict[str, Callable[[], Operator]] = {
    catalogue.RECOGNITION.version_id: builtin.recognition,
    catalogue.EMBEDDING.version_id: builtin.embedding,
    catalogue.CLUSTERING.version_id: builtin.clustering,
    catalogue.FACES.version_id: builtin.faces,
}


def load(model_type: ModelType, version_id: str, params: Mapping[str, Any], data: Data, snapshot: Snapshot) -> Operator:
    """Make the operator of a model version.

    Args:
        version_id: the version's API id.
        params: ``output_info.params`` of the version, with a node's override merged in.
        data: ``output_info.data``, likewise.

    Raises:
        ModelInvalidArgument: the parameters are not legal, or nothing stands behind the version.
    """
    if model_type.make is not None:
        return model_type.make(check_params(model_type, params), data, snapshot)
    if version_id in _BUILT_IN:
        return _BUILT_IN[version_id]()
    raise ModelInvalidArgument(
        f"a {model_type.id} needs weights, and version {version_id!r} has none on this server; "
        f"types that can be made from parameters alone are listed by ListModelTypes as creatable"
    )

"""From a model version to an operator that can run: types without weights by the registry, the others here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Data

from labelwright.errors import ModelInvalidArgument
from labelwright.models import catalogue
from labelwright.models.builtin import operators as builtin
from labelwright.operators import learned
from labelwright.operators.registry import ModelType, check_params
from labelwright.operators.values import Operator, Snapshot

_BUILT_IN: dict[str, Callable[[], Operator]] = {
    catalogue.RECOGNITION.version_id: builtin.recognition,
    catalogue.EMBEDDING.version_id: builtin.embedding,
    catalogue.CLUSTERING.version_id: builtin.clustering,
    catalogue.FACES.version_id: builtin.faces,
}


def load(
    model_type: ModelType,
    version_id: str,
    params: Mapping[str, Any],
    data: Data,
    snapshot: Snapshot,
    artifact: bytes | None = None,
    embed: Operator | None = None,
) -> Operator:
    """Make the operator of a model version.

    Args:
        version_id: the version's API id.
        params: ``output_info.params`` of the version, with a node's override merged in.
        data: ``output_info.data``, likewise; of a version that was trained, its concepts in the order of training.
        artifact: what training made of the version; None where it was not trained.
        embed: an embedder for whoever takes vectors and is handed none.

    Raises:
        ModelInvalidArgument: the parameters are not legal, nothing stands behind the version, or its artifact can't
            be used.
    """
    if model_type.make is not None:
        return model_type.make(check_params(model_type, params), data, snapshot)
    if version_id in _BUILT_IN:
        return _BUILT_IN[version_id]()
    if artifact is not None and model_type.id in learned.TYPES:
        return learned.TYPES[model_type.id](artifact, data, embed)
    if model_type.trainable:
        raise ModelInvalidArgument(
            f"a {model_type.id} needs weights, and version {version_id!r} has none: it was not trained, or its "
            f"training has not ended; post a version of the model to train one"
        )
    raise ModelInvalidArgument(
        f"a {model_type.id} needs weights, and version {version_id!r} has none on this server; "
        f"types that can be made from parameters alone are listed by ListModelTypes as creatable"
    )

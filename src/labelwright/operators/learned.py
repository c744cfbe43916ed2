"""Models that were trained on embeddings, as operators: heads say concepts, clusters say ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from clarifai_grpc.grpc.api.resources_pb2 import Cluster, Concept, Data

from labelwright.errors import InputUnsupportedFormat, ModelInvalidArgument
from labelwright.operators.clusters import Clusters
from labelwright.operators.heads import Head
from labelwright.operators.values import Batch, Operator, Output, Vectors

_Learned = TypeVar("_Learned", Head, Clusters)


def classifier(artifact: bytes, data: Data, embed: Operator | None = None) -> Operator:
    """An embedding to the concepts that a head was trained on, the most likely first.

    Args:
        artifact: of `Head.to_bytes`.
        data: whose ``concepts`` are the head's, in its order.
        embed: makes the vectors of a batch that has none, or has them of another length.

    Raises:
        ModelInvalidArgument: the artifact can't be used, or is about another number of concepts.
    """
    head = _read(Head.from_bytes, artifact)
    named = [Concept(id=c.id, name=c.name, app_id=c.app_id, user_id=c.user_id) for c in data.concepts]
    if len(named) != head.concepts:
        raise ModelInvalidArgument(f"the version lists {len(named)} concepts, and was trained on {head.concepts}")

    def run(batch: Batch) -> Output:
        scores = head.scores(_vectors(batch, head.dimensions, embed))
        return Output([Data(concepts=_said(row, named)) for row in scores])

    return run


def clusterer(artifact: bytes, _: Data, embed: Operator | None = None) -> Operator:
    """An embedding to the id of its learned cluster; arguments and errors as of `classifier`."""
    clusters = _read(Clusters.from_bytes, artifact)

    def run(batch: Batch) -> Output:
        found = clusters.assign(_vectors(batch, clusters.dimensions, embed))
        return Output([Data(clusters=[Cluster(id=i, score=s)]) for i, s in found])

    return run


TYPES: dict[str, Callable[[bytes, Data, Operator | None], Operator]] = {
    "embedding-classifier": classifier,
    "knn-concept": classifier,
    "clusterer": clusterer,
}
"""By model type, what makes an operator of an artifact."""


def _read(make: Callable[[bytes], _Learned], artifact: bytes) -> _Learned:
    try:
        return make(artifact)
    except ValueError as e:
        raise ModelInvalidArgument(f"what training made of this version can't be used: {e}; train it anew") from e


def _vectors(batch: Batch, dimensions: int, embed: Operator | None) -> Vectors:
    found = batch.vectors
    if (found is None or found.shape[1] != dimensions) and embed is not None:
        found = embed(batch).vectors
    if found is None:
        raise InputUnsupportedFormat("this model takes embeddings, and none reached it: put an embedder before it")
    if found.shape[1] != dimensions:
        raise InputUnsupportedFormat(
            f"this model takes embeddings of {dimensions} dimensions, and was given {found.shape[1]}: put the embedder "
            f"before it that it was trained on"
        )
    if not np.isfinite(found).all():
        raise InputUnsupportedFormat("this model takes embeddings of finite numbers, and one holds another")
    return found


def _said(scores: Vectors, named: Sequence[Concept]) -> list[Concept]:
    order = np.argsort(-scores, kind="stable")
    values = scores.tolist()
    out = []
    for i in order.tolist():
        # A concept that the head can't see is absent, not zero.
        if values[i] <= 0:
            break
        concept = Concept()
        concept.CopyFrom(named[i])
        concept.value = values[i]
        out.append(concept)
    return out

"""The built-in models as operators: they take pixels, and share one descriptor an image."""

from __future__ import annotations

from typing import Any

import numpy as np
from clarifai_grpc.grpc.api.resources_pb2 import Cluster, Concept, Data, Region, RegionInfo

from labelwright.errors import InputUnsupportedFormat
from labelwright.models.builtin import clusters as cluster_code
from labelwright.models.builtin import descriptor
from labelwright.models.builtin.faces import Face, detect_faces, people_score
from labelwright.models.catalogue import FACE, PEOPLE, PUBLIC_APP, PUBLIC_USER, PublicConcept
from labelwright.operators.values import Batch, Operator, Output, Pixels, Vectors


def _pixels(batch: Batch, rows: list[int]) -> list[Pixels]:
    found = []
    for row in rows:
        pixels = batch.source.pixels[row]
        if pixels is None:
            raise InputUnsupportedFormat("this model takes images, and the input has none")
        found.append(pixels)
    return found


def _describe(batch: Batch) -> Vectors:
    def compute(rows: list[int]) -> list[Any]:
        return list(descriptor.describe(_pixels(batch, rows)))

    found = batch.source.once("builtin-descriptor", batch.rows, compute)
    return np.stack(found) if found else np.empty((0, descriptor.DIMENSIONS), np.float32)


def _faces(batch: Batch) -> list[list[Face]]:
    def compute(rows: list[int]) -> list[list[Face]]:
        return [detect_faces(p) for p in _pixels(batch, rows)]

    return batch.source.once("builtin-faces", batch.rows, compute)


def _concept(concept: PublicConcept, value: float) -> Concept:
    return Concept(id=concept.id, name=concept.name, value=value, app_id=PUBLIC_APP, user_id=PUBLIC_USER)


def embedding() -> Operator:
    """An image to its descriptor."""

    def run(batch: Batch) -> Output:
        vectors = _describe(batch)
        return Output([Data() for _ in batch.rows], vectors=vectors)

    return run


def recognition() -> Operator:
    """An image to the concept *people*, where any face was detected."""

    def run(batch: Batch) -> Output:
        scores = [people_score(found) for found in _faces(batch)]
        return Output([Data(concepts=[_concept(PEOPLE, s)] if s is not None else []) for s in scores])

    return run


def faces() -> Operator:
    """An image to boxes around faces."""

    def run(batch: Batch) -> Output:
        return Output([Data(regions=[_region(f) for f in found]) for found in _faces(batch)])

    return run


def _region(face: Face) -> Region:
    info = RegionInfo()
    box = info.bounding_box
    box.top_row, box.left_col, box.bottom_row, box.right_col = face.top, face.left, face.bottom, face.right
    return Region(region_info=info, value=face.score, data=Data(concepts=[_concept(FACE, face.score)]))


def clustering() -> Operator:
    """An image, or the embedding that reached the node, to the id of its cluster."""

    def run(batch: Batch) -> Output:
        vectors = batch.vectors
        if vectors is None or vectors.shape[1] != descriptor.DIMENSIONS:
            vectors = _describe(batch)
        found = cluster_code.assign(vectors)
        return Output([Data(clusters=[Cluster(id=i, score=s)]) for i, s in found])

    return run

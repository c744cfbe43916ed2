"""A model type with precomputed scores, for benchmarks: `LABELWRIGHT_PLUGINS='["stub_classifier"]'`.

It takes texts and says three concepts with scores that follow from the text, at next to no cost: what is
measured is everything around a model.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data

from labelwright.operators.registry import ModelType, register
from labelwright.operators.values import Batch, Operator, Output, Snapshot

CONCEPTS = ("c0", "c1", "c2")


def make(_params: Mapping[str, Any], _data: Data, snapshot: Snapshot) -> Operator:
    """Build the stub."""

    def run(batch: Batch) -> Output:
        out: list[Data | None] = []
        for data in batch.data:
            seed = zlib.crc32(data.text.raw.encode())
            out.append(
                Data(
                    concepts=[
                        Concept(id=c, value=((seed >> (8 * i)) & 255) / 255, app_id=snapshot.app_id)
                        for i, c in enumerate(CONCEPTS)
                    ]
                )
            )
        return Output(out)

    return run


register(
    ModelType(
        id="stub-classifier",
        title="Stub classifier",
        description="Scores that follow from the text.",
        inputs=("text",),
        outputs=("concepts",),
        make=make,
        predicts=True,
    )
)

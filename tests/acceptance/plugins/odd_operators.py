"""Model types that misbehave on purpose; servers of the tests load them as a plugin.

Texts steer them: "slow" sleeps, "deadly" kills the process, "broken" raises; every other text is the concept
"thing" with a score of 0.9, or of what follows "score=".
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data

from labelwright.operators.registry import ModelType, register
from labelwright.operators.values import Batch, Operator, Output, Snapshot


def _one(text: str) -> Data:
    if "slow" in text:
        time.sleep(0.02)
    if "deadly" in text:
        os.kill(os.getpid(), signal.SIGKILL)
    if "broken" in text:
        raise ValueError("this text is broken")
    score = float(text.partition("score=")[2] or 0.9)
    return Data(concepts=[Concept(id="thing", name="thing", value=score)])


def make(_params: Mapping[str, Any], _data: Data, _snapshot: Snapshot) -> Operator:
    def run(batch: Batch) -> Output:
        return Output([_one(d.text.raw) for d in batch.data])

    return run


register(
    ModelType(
        id="odd-classifier",
        title="Odd classifier",
        description="Misbehaves on purpose.",
        inputs=("text",),
        outputs=("concepts",),
        make=make,
        predicts=True,
    )
)

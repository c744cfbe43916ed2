"""The concept thresholder: keeps the concepts whose score is on the right side of a value."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data

from labelwright.errors import ModelInvalidArgument
from labelwright.operators.concept_edit import edit_concepts
from labelwright.operators.registry import CONCEPT_FIELDS, Kind, ModelType, Param, register
from labelwright.operators.values import Batch, Operator, Output, Snapshot

ID = "concept-threshold"

# GREATER_THAN keeps an equal score and LESS_THAN drops it, as the tutorial has it: a pair of thresholders
# with the same values then sends every concept exactly one of the two ways.
COMPARATORS: dict[int, tuple[str, Callable[[float, float], bool]]] = {
    1: ("GREATER_THAN", operator.ge),
    2: ("GREATER_THAN_OR_EQUAL", operator.ge),
    3: ("LESS_THAN", operator.lt),
    4: ("LESS_THAN_OR_EQUAL", operator.le),
    5: ("EQUAL", operator.eq),
}


def keep(
    concepts: Iterable[Concept],
    thresholds: Mapping[str, float],
    passes: Callable[[float, float], bool],
    filter_others: bool,
) -> list[Concept]:
    """The concepts that pass. Scores and thresholds are both the wire's float32, so that equal is equal."""
    others = not filter_others
    of = thresholds.get
    return [c for c in concepts if (passes(c.value, limit) if (limit := of(c.id)) is not None else others)]


def make(params: Mapping[str, Any], data: Data, _snapshot: Snapshot) -> Operator:
    """Build a thresholder; ``data.concepts`` holds the thresholds as id and value."""
    thresholds: dict[str, float] = {}
    for concept in data.concepts:
        if not concept.id:
            raise ModelInvalidArgument("concept-threshold: a concept in output_info.data.concepts has no id")
        if concept.id in thresholds:
            raise ModelInvalidArgument(f"concept-threshold: {concept.id!r} has two thresholds; give it one")
        if not math.isfinite(concept.value):
            raise ModelInvalidArgument(
                f"concept-threshold: the threshold of {concept.id!r} is {concept.value}; a finite number is legal"
            )
        thresholds[concept.id] = concept.value
    filter_others = params["filter_other_concepts"]
    if not thresholds and filter_others:
        raise ModelInvalidArgument(
            "concept-threshold: output_info.data.concepts is empty, so nothing could ever pass; "
            "list concepts with their thresholds as id and value"
        )
    passes = COMPARATORS[params["concept_threshold_type"]][1]

    def edit(concepts: Sequence[Concept]) -> Sequence[Concept]:
        kept = keep(concepts, thresholds, passes, filter_others)
        return concepts if len(kept) == len(concepts) else kept

    def run(batch: Batch) -> Output:
        return Output([edit_concepts(d, edit) for d in batch.data])

    return run


register(
    ModelType(
        id=ID,
        title="Concept threshold",
        description=(
            "Keeps the concepts whose score compares to their threshold as said; concepts without a "
            "threshold are dropped, unless filter_other_concepts is false. Where nothing is left, the nodes "
            "behind it do not run."
        ),
        inputs=CONCEPT_FIELDS,
        outputs=CONCEPT_FIELDS,
        params=(
            Param(
                "concept_threshold_type",
                Kind.ENUM,
                "How a score must compare to its threshold. GREATER_THAN keeps an equal score, LESS_THAN drops it.",
                required=True,
                options={name: number for number, (name, _) in COMPARATORS.items()},
            ),
            Param(
                "filter_other_concepts",
                Kind.BOOLEAN,
                "Drop the concepts that have no threshold.",
                default=True,
            ),
            Param("concepts", Kind.THRESHOLDS, "The thresholds, in output_info.data.concepts as id and value."),
        ),
        make=make,
    )
)

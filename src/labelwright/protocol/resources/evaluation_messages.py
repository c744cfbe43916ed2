"""Evaluations as clients see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2
from clarifai_grpc.grpc.api.status import status_code_pb2, status_pb2
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from sqlalchemy import Row

from labelwright.protocol.wire import status

OWN = "labelwright"
"""Where in ``extended_metrics`` stands what the API's messages have no field for, beside what the client gave."""

Inputs = Mapping[str, resources_pb2.Input]
"""Input id to the input as clients see it."""


def metrics_of(
    row: Row[Any],
    app: Row[Any],
    version: Row[Any] | None,
    *,
    fields: resources_pb2.FieldsValue | None = None,
    inputs: Inputs | None = None,
    named: Sequence[str] = (),
    progress: float = 0.0,
) -> resources_pb2.EvalMetrics:
    """An evaluation: its summary, and what ``fields`` asks for besides.

    Args:
        row: of `evaluations`; with its result where ``fields`` is given.
        app: where it is.
        version: the model version, a row of `models.versions_by_pk`.
        inputs: those of the test set.
        named: ids of the inputs that it was asked for on.
        progress: how far it is, 0..1.
    """
    made = resources_pb2.EvalMetrics(id=row.id, user_id=app.user_id, app_id=app.id, status=status_of(row, progress))
    if version is not None:
        model = made.model
        model.id, model.name, model.model_type_id = version.model_id, version.model_name, version.model_type_id
        model.user_id, model.app_id = version.user_id, version.app_id
        model.model_version.id = version.id
    if named:
        made.eval_info.params.update({"inputs": list(named)})
    figures = row.params.get("summary")
    given = dict(row.params.get("metrics") or {})
    if figures:
        _summary(made.summary, figures)
        given[OWN] = {**figures, **row.params.get("about", {})}
    if given:
        made.extended_metrics.user_metrics.CopyFrom(_struct(given))
    result = row.result if fields is not None else None
    if result and fields is not None:
        _fill(made, result, fields, app, inputs or {})
    return made


def status_of(row: Row[Any] | None, progress: float = 0.0) -> status_pb2.Status:
    """The status of an evaluation; None: there is none."""
    if row is None:
        return status(status_code_pb2.MODEL_NOT_EVALUATED)
    made = status(row.status_code, row.message)
    if row.status_code == status_code_pb2.MODEL_EVALUATING:
        made.percent_completed = int(100 * progress)
    return made


def asked_of(fields: resources_pb2.FieldsValue) -> bool:
    """Whether more than the summary is asked for."""
    return any(value for _, value in fields.ListFields())


def _summary(made: resources_pb2.MetricsSummary, figures: Mapping[str, Any]) -> None:
    for name, key in (
        ("top1_accuracy", "top1"),
        ("top5_accuracy", "top5"),
        ("macro_avg_roc_auc", "macro_roc_auc"),
        ("macro_std_roc_auc", "macro_roc_auc_std"),
        ("macro_avg_f1_score", "macro_f1"),
        ("macro_std_f1_score", "macro_f1_std"),
        ("macro_avg_precision", "macro_precision"),
        ("macro_avg_recall", "macro_recall"),
    ):
        # What can't be told is 0 on the wire, which has no other word for it; `OWN` leaves it out.
        setattr(made, name, figures.get(key) or 0.0)


def _fill(
    made: resources_pb2.EvalMetrics,
    result: Mapping[str, Any],
    fields: resources_pb2.FieldsValue,
    app: Row[Any],
    inputs: Inputs,
) -> None:
    concepts = [
        resources_pb2.Concept(id=c["id"], name=c["name"], value=1, app_id=app.id, user_id=app.user_id)
        for c in result["concepts"]
    ]
    ids = _ordered(result)
    if fields.confusion_matrix:
        made.confusion_matrix.concept_ids.extend(ids)
        _confusion(made.confusion_matrix, result, concepts)
    if fields.cooccurrence_matrix:
        made.cooccurrence_matrix.concept_ids.extend(ids)
        for row, column, count in result["cooccurrence"]:
            made.cooccurrence_matrix.matrix.add(row=concepts[row].id, col=concepts[column].id, count=count)
    if fields.label_counts:
        for said, concept in zip(result["concepts"], concepts, strict=True):
            made.label_counts.positive_label_counts.add(
                concept=concept, concept_name=concept.name, count=said["positives"]
            )
    if fields.binary_metrics:
        for said, concept in zip(result["concepts"], concepts, strict=True):
            _binary(made.binary_metrics.add(), said, concept)
    if fields.test_set:
        for said in result["examples"]:
            _example(made.test_set.add(), said, concepts, inputs)


def _ordered(result: Mapping[str, Any]) -> list[str]:
    """Concept ids as the API orders them: by the strength of the diagonal of the confusion matrix."""
    return [c["id"] for c in sorted(result["concepts"], key=lambda c: -(c["recall"] or 0.0))]


def _confusion(
    made: resources_pb2.ConfusionMatrix, result: Mapping[str, Any], concepts: list[resources_pb2.Concept]
) -> None:
    cells = {(i, i): 0 for i in range(len(concepts))}
    cells.update({(row, column): count for row, column, count in result["confusion"]})
    for (row, column), count in sorted(cells.items()):
        shown = result["concepts"][row]["positives"]
        made.matrix.add(
            predicted=concepts[column].id,
            actual=concepts[row].id,
            # A share: the clients draw it on a scale from 0 to 1.
            value=count / shown if shown else 0.0,
            predicted_concept=concepts[column],
            actual_concept=concepts[row],
        )


def _binary(made: resources_pb2.BinaryMetrics, said: Mapping[str, Any], concept: resources_pb2.Concept) -> None:
    positives, negatives = said["positives"], said["negatives"]
    made.num_pos, made.num_neg, made.num_tot = positives, negatives, positives + negatives
    made.roc_auc, made.f1 = said["roc_auc"] or 0.0, said["f1"] or 0.0
    made.avg_precision = said["average_precision"] or 0.0
    made.concept.CopyFrom(concept)
    hits, alarms = said["grid"]["hits"], said["grid"]["alarms"]
    # At the same thresholds for each concept, 0.00 to 1.00: the clients look them up by two places, and average over
    # concepts point by point.
    thresholds = [i / 100 for i in range(len(hits))]
    if positives:
        curve = made.precision_recall_curve
        curve.thresholds.extend(thresholds)
        curve.recall.extend(h / positives for h in hits)
        # Where nothing is said, nothing wrong is said.
        curve.precision.extend(h / (h + a) if h + a else 1.0 for h, a in zip(hits, alarms, strict=True))
    if positives and negatives:
        made.roc_curve.thresholds.extend(thresholds)
        made.roc_curve.tpr.extend(h / positives for h in hits)
        made.roc_curve.fpr.extend(a / negatives for a in alarms)


def _example(
    made: resources_pb2.EvalTestSetEntry,
    said: Mapping[str, Any],
    concepts: list[resources_pb2.Concept],
    inputs: Inputs,
) -> None:
    if said["input"] in inputs:
        made.input.CopyFrom(inputs[said["input"]])
    made.input.id = said["input"]
    for target, pairs in ((made.predicted_concepts, said["scores"]), (made.ground_truth_concepts, said["labels"])):
        for number, value in pairs:
            concept = target.add()
            concept.CopyFrom(concepts[number])
            concept.value = value


def _struct(values: Mapping[str, Any]) -> Struct:
    return ParseDict({name: value for name, value in values.items() if value is not None}, Struct())

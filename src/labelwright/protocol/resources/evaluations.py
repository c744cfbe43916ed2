"""Evaluations of model versions: asking for them, and what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from google.protobuf.json_format import Error as JsonError
from google.protobuf.json_format import MessageToDict
from sqlalchemy import Connection, Row

from labelwright.annotator.plans import output_info
from labelwright.errors import DoesNotExist, InvalidRequest, ModelInvalidRequest
from labelwright.ids import MAX_FREE_ID, new_id, resource_id_problem
from labelwright.operators import registry
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.hosted import Hosting
from labelwright.protocol.resources.app_listing import meant
from labelwright.protocol.resources.evaluation_messages import asked_of, metrics_of, status_of
from labelwright.protocol.resources.input_messages import to_wire
from labelwright.protocol.resources.model_wire import find, find_version, version_to_wire
from labelwright.protocol.wire import offset_limit
from labelwright.store import evaluations, inputs, jobs, models
from labelwright.training.evaluation_job import EVALUATING, FIRST_ERROR, QUEUED, named_inputs, start

MAX_EVALUATIONS = 128
MAX_INPUTS = 10_000
"""Inputs that one evaluation may name."""
MAX_METRICS = 64 * 1024
"""Bytes, as JSON, of what a client keeps with an evaluation."""
TRAINED = 21100

EvalMetrics = resources_pb2.EvalMetrics


@serves("PostEvaluations")
def post_evaluations(call: Call, request: service_pb2.PostEvaluationsRequest) -> service_pb2.MultiEvalMetricsResponse:
    """Queue evaluations: all of them or, where one can't be made, none. One of an id that is there is made anew."""
    _check_count(request.eval_metrics)
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        made = []
        for given in request.eval_metrics:
            version = _version_named(conn, call, request.user_app_id, given.model)
            made.append(_start(conn, app, version, given))
        shown = [_shown(conn, app, row) for row in made]
    call.server.wake()
    return service_pb2.MultiEvalMetricsResponse(eval_metrics=shown)


@serves("PostModelVersionEvaluations")
def post_model_version_evaluations(
    call: Call, request: service_pb2.PostModelVersionEvaluationsRequest
) -> service_pb2.MultiEvalMetricsResponse:
    """Queue evaluations of one version."""
    _check_count(request.eval_metrics)
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        _, model = find(conn, call, request.user_app_id, request.model_id)
        version = evaluable(conn, model, request.model_version_id)
        made = [_start(conn, app, version, given) for given in request.eval_metrics]
        shown = [_shown(conn, app, row) for row in made]
    call.server.wake()
    return service_pb2.MultiEvalMetricsResponse(eval_metrics=shown)


@serves("PostModelVersionMetrics")
def post_model_version_metrics(
    call: Call, request: service_pb2.PostModelVersionMetricsRequest
) -> service_pb2.SingleModelVersionResponse:
    """Queue the evaluation of a version, unless one waits or runs already. Deprecated: PostEvaluations has more."""
    if request.HasField("test_search") and request.test_search.ByteSize():
        raise InvalidRequest(
            "test_search is not served; name the inputs to measure the version on as eval_info.params.inputs"
        )
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        home, model = find(conn, call, request.user_app_id, request.model_id)
        version = evaluable(conn, model, request.version_id)
        row = evaluations.newest(conn, app.pk, version.pk)
        if row is None or row.status_code not in (QUEUED, EVALUATING) or request.eval_info.params.fields:
            row = _start(conn, app, version, EvalMetrics(eval_info=request.eval_info))
        wire = version_to_wire(find_version(conn, model, request.version_id), home)
        wire.metrics.CopyFrom(_shown(conn, app, row))
    call.server.wake()
    return service_pb2.SingleModelVersionResponse(model_version=wire)


@serves("GetModelVersionMetrics")
def get_model_version_metrics(
    call: Call, request: service_pb2.GetModelVersionMetricsRequest
) -> service_pb2.SingleModelVersionResponse:
    """A version with its newest evaluation; one that has none says so in ``metrics.status``."""
    hosting = Hosting(call)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        home, model = find(conn, call, request.user_app_id, request.model_id)
        version = find_version(conn, model, request.version_id)
        wire = version_to_wire(version, home)
        row = evaluations.newest(conn, app.pk, version.pk)
        if row is None:
            wire.metrics.status.CopyFrom(status_of(None))
        else:
            wire.metrics.CopyFrom(_shown(conn, app, row, request.fields, hosting))
    return service_pb2.SingleModelVersionResponse(model_version=wire)


@serves("GetEvaluation")
def get_evaluation(call: Call, request: service_pb2.GetEvaluationRequest) -> service_pb2.SingleEvalMetricsResponse:
    """One evaluation; of what was measured the summary alone, where ``fields`` asks for no more."""
    hosting = Hosting(call)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        row = _one(conn, app, request.evaluation_id)
        return service_pb2.SingleEvalMetricsResponse(eval_metrics=_shown(conn, app, row, request.fields, hosting))


@serves("GetModelVersionEvaluation")
def get_model_version_evaluation(
    call: Call, request: service_pb2.GetModelVersionEvaluationRequest
) -> service_pb2.SingleEvalMetricsResponse:
    """One evaluation of a version."""
    hosting = Hosting(call)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        _, model = find(conn, call, request.user_app_id, request.model_id)
        version = find_version(conn, model, request.model_version_id)
        row = _one(conn, app, request.evaluation_id)
        if row.model_version != version.pk:
            raise DoesNotExist(f"version {version.id!r} has no evaluation {request.evaluation_id!r}")
        return service_pb2.SingleEvalMetricsResponse(eval_metrics=_shown(conn, app, row, request.fields, hosting))


@serves("ListModelVersionEvaluations")
def list_model_version_evaluations(
    call: Call, request: service_pb2.ListModelVersionEvaluationsRequest
) -> service_pb2.MultiEvalMetricsResponse:
    """The evaluations of a version, newest first, with their summaries and without the inputs that they name."""
    offset, limit = offset_limit(request)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        _, model = find(conn, call, request.user_app_id, request.model_id)
        version = find_version(conn, model, request.model_version_id)
        rows = evaluations.listing(conn, [app.pk], versions=[version.pk], offset=offset, limit=limit)
        return service_pb2.MultiEvalMetricsResponse(eval_metrics=_listed(conn, {app.pk: app}, rows))


@serves("ListEvaluations")
def list_evaluations(call: Call, request: service_pb2.ListEvaluationsRequest) -> service_pb2.MultiEvalMetricsResponse:
    """The evaluations of the app named, or of all the user's apps; newest first where no order is asked for.

    They come with their summaries, and without the inputs that they name: `GetEvaluation` has these.
    """
    offset, limit = offset_limit(request)
    with call.store.read() as conn:
        homes = meant(conn, call, request.user_app_id)
        among: dict[str, Any] = {
            "model_type_id": request.model_type_id,
            "below": None if request.show_failed_metrics else FIRST_ERROR,
        }
        versions = None
        if request.eval_dataset_ids or request.train_dataset_ids:
            # No evaluation here is of a dataset.
            versions = []
        elif request.concept_ids:
            found = evaluations.versions_evaluated(conn, list(homes), **among)
            versions = _that_say(conn, found, set(request.concept_ids))
        rows = evaluations.listing(
            conn,
            list(homes),
            versions=versions,
            order=_ORDERS.get(request.WhichOneof("sort_by") or "", "created_at"),
            ascending=request.sort_ascending,
            offset=offset,
            limit=limit,
            **among,
        )
        return service_pb2.MultiEvalMetricsResponse(eval_metrics=_listed(conn, homes, rows))


_ORDERS = {f"sort_by_{name}": name for name in evaluations.ORDERS}
"""What a listing is sorted by. The others, of datasets and of boxes, are alike for all evaluations here."""


def _that_say(conn: Connection, versions: Sequence[int], concepts: set[str]) -> list[int]:
    """The keys of those versions that say all of these concepts."""
    kept = []
    for first in range(0, len(versions), 1_000):
        for pk, row in models.versions_by_pk(conn, versions[first : first + 1_000]).items():
            if concepts <= {c.id for c in output_info(row.wire).data.concepts}:
                kept.append(pk)
    return kept


# --- asking ---------------------------------------------------------------------------------------


def _check_count(given: Any) -> None:
    if not 1 <= len(given) <= MAX_EVALUATIONS:
        raise InvalidRequest(f"{len(given)} eval_metrics given; 1 to {MAX_EVALUATIONS} a call are legal")


def _version_named(conn: Connection, call: Call, where: Any, model: resources_pb2.Model) -> Row[Any]:
    if not model.id or not model.model_version.id:
        raise InvalidRequest("eval_metrics.model is incomplete: give the id of the model, and model_version.id")
    there = resources_pb2.UserAppIDSet()
    there.CopyFrom(where)
    if model.user_id:
        there.user_id = model.user_id
    if model.app_id:
        there.app_id = model.app_id
    _, row = find(conn, call, there, model.id)
    return evaluable(conn, row, model.model_version.id)


def evaluable(conn: Connection, model: Row[Any], version_id: str) -> Row[Any]:
    """A version that can be evaluated.

    Raises:
        ModelDoesNotExist: the model has none of this id.
        ModelInvalidRequest: it says no concepts of whole inputs, or is not trained.
    """
    version = find_version(conn, model, version_id)
    kind = registry.get(model.model_type_id)
    if not kind.predicts or "concepts" not in kind.outputs:
        raise ModelInvalidRequest(
            f"model {model.id!r} is a {kind.id}; what can be evaluated says concepts of whole inputs, such as an "
            "embedding-classifier"
        )
    if version.status_code != TRAINED:
        raise ModelInvalidRequest(
            f"version {version.id!r} of model {model.id!r} is not trained, so it says nothing yet"
        )
    return version


def _start(conn: Connection, app: Row[Any], version: Row[Any], given: EvalMetrics) -> Row[Any]:
    if given.ground_truth_dataset.id or given.predictions_dataset.id:
        raise InvalidRequest(
            "datasets are not served yet; leave the dataset out to evaluate on the app's labels, or name inputs as "
            "eval_info.params.inputs"
        )
    if given.id and (problem := resource_id_problem(given.id)):
        raise InvalidRequest(f"evaluation id: {problem}")
    info, metrics = _plain(given.eval_info.params), _plain(given.extended_metrics.user_metrics, MAX_METRICS)
    if unknown := set(info) - {"inputs"}:
        raise InvalidRequest(f"eval_info.params has {sorted(unknown)[0][:80]!r}; legal is inputs, a list of input ids")
    params: dict[str, Any] = {}
    if info:
        params["inputs"] = _inputs(conn, app, info["inputs"])
    if metrics:
        params["metrics"] = metrics
    named = given.id or new_id()
    before = evaluations.get(conn, app.pk, named)
    if before is not None and before.job:
        job = jobs.get(conn, before.job)
        if job is not None and job.state in jobs.UNFINISHED:
            jobs.end(conn, job.pk, jobs.BROKEN, "asked for anew")
    start(conn, app.pk, id=named, model_version=version.pk, params=params)
    row = evaluations.get(conn, app.pk, named)
    if row is None:
        raise DoesNotExist(f"evaluation {named!r} is gone already")
    return row


def _plain(struct: Any, most: int | None = None) -> dict[str, Any]:
    """A struct as plain values; ``most``: bytes that it may have as JSON."""
    try:
        plain: dict[str, Any] = MessageToDict(struct)
        size = len(json.dumps(plain, allow_nan=False))
    except (JsonError, ValueError, RecursionError) as e:
        raise InvalidRequest(f"eval_info and extended_metrics hold what is no JSON: {str(e)[:200]}") from None
    if most is not None and size > most:
        raise InvalidRequest(f"extended_metrics has {size} bytes as JSON; {most} at most are legal")
    return plain


def _inputs(conn: Connection, app: Row[Any], given: Any) -> list[str]:
    legal = f"a list of 1 to {MAX_INPUTS} input ids"
    if not isinstance(given, list) or not all(isinstance(i, str) and len(i) <= MAX_FREE_ID for i in given):
        raise InvalidRequest(f"eval_info.params.inputs is something else; legal is {legal}")
    if not 1 <= len(given) <= MAX_INPUTS:
        raise InvalidRequest(f"eval_info.params.inputs has {len(given)} entries; legal is {legal}")
    there = inputs.keys(conn, app.pk, given)
    if missing := [i for i in given if i not in there]:
        raise InvalidRequest(
            f"app {app.id!r} has no input {missing[0]!r}, nor {len(missing) - 1} others of those named"
        )
    return list(dict.fromkeys(given))


# --- showing --------------------------------------------------------------------------------------


def _one(conn: Connection, app: Row[Any], evaluation_id: str) -> Row[Any]:
    row = evaluations.get(conn, app.pk, evaluation_id) if evaluation_id else None
    if row is None:
        raise DoesNotExist(f"app {app.id!r} has no evaluation {evaluation_id!r}; ListEvaluations has their ids")
    return row


def _shown(
    conn: Connection,
    app: Row[Any],
    row: Row[Any],
    fields: resources_pb2.FieldsValue | None = None,
    hosting: Hosting | None = None,
) -> EvalMetrics:
    version = models.versions_by_pk(conn, [row.model_version]).get(row.model_version)
    asked = fields if fields is not None and asked_of(fields) else None
    shown = {}
    if asked is not None and asked.test_set and row.result and hosting is not None:
        wanted = [example["input"] for example in row.result["examples"]]
        shown = {i: to_wire(r, None, hosting) for i, r in inputs.by_ids(conn, app.pk, wanted).items()}
    named = named_inputs(conn, row)
    return metrics_of(row, app, version, fields=asked, inputs=shown, named=named, progress=progress_of(conn, row))


def _listed(conn: Connection, homes: Mapping[int, Row[Any]], rows: Sequence[Row[Any]]) -> list[EvalMetrics]:
    """As in listings: 100 that name 10,000 inputs each would be 100 MB."""
    versions = models.versions_by_pk(conn, {row.model_version for row in rows})
    return [
        metrics_of(row, homes[row.app], versions.get(row.model_version), progress=progress_of(conn, row))
        for row in rows
    ]


def progress_of(conn: Connection, row: Row[Any]) -> float:
    """How far an evaluation is, 0..1; 0 for one that waits or has ended."""
    if row.status_code == EVALUATING:
        job = jobs.get(conn, row.job)
        return job.done / job.total if job is not None and job.total else 0.0
    return 0.0

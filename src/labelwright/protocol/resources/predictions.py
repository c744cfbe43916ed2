"""Predictions that a call waits for: a whole workflow, or one model. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_pb2
from sqlalchemy import Connection, Row

from labelwright.annotator.intake import kind_of, url_of
from labelwright.annotator.labels import places
from labelwright.annotator.plans import output_info
from labelwright.annotator.predict import NodeOutput, Prediction, Task, tasks_inputs
from labelwright.errors import (
    DoesNotExist,
    InputInvalidArgument,
    InvalidRequest,
    LabelwrightError,
    ModelInvalidArgument,
)
from labelwright.ids import new_id
from labelwright.operators import registry
from labelwright.operators.registry import ModelType
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources import model_settings, model_wire, workflow_wire
from labelwright.protocol.resources.model_settings import MAX_CONCEPTS
from labelwright.protocol.resources.output_trimming import Trim, translate, trim, trim_of, unknown
from labelwright.protocol.wire import FAILURE, MIXED, SUCCESS, error_status, set_time, status
from labelwright.store import models, workflows
from labelwright.store.engine import now

MAX_WORKFLOW_INPUTS = 32
MAX_MODEL_INPUTS = 128


@serves("PostWorkflowResults")
def post_workflow_results(
    call: Call, request: service_pb2.PostWorkflowResultsRequest
) -> service_pb2.PostWorkflowResultsResponse:
    """Run a workflow over inputs, and show what each node made of them. No workflow named: the app's default."""
    _check(request.inputs, MAX_WORKFLOW_INPUTS, request.output_config)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        home, workflow = workflow_wire.find(
            conn, call, request.user_app_id, request.workflow_id, public_first=request.favor_clarifai_workflows
        )
        version = workflows.version(conn, workflow.pk, request.version_id)
        if version is None:
            raise DoesNotExist(f"workflow {workflow.id!r} has no version {request.version_id!r}")
        trims = _trims(conn, version, request.output_config)
    results = _predict(call, app, request.inputs, workflow=workflow.pk, workflow_version=version.id)
    reply = service_pb2.PostWorkflowResultsResponse()
    reply.workflow.id, reply.workflow.app_id, reply.workflow.user_id = (
        workflow.id,
        home.id,
        home.user_id,
    )
    reply.workflow.version.id = version.id
    for given, result in zip(request.inputs, results, strict=True):
        shown = reply.results.add(id=new_id())
        set_time(shown.created_at, now())
        _echo(shown.input, given)
        shown.status.CopyFrom(_status(result))
        if not isinstance(result, LabelwrightError):
            for node in result:
                if not node.suppress:
                    # A node is missing where its model version was deleted meanwhile.
                    by = trims.get(node.node_id) or trim_of(resources_pb2.OutputConfig(), request.output_config)
                    _fill(shown.outputs.add(), node, given, by)
    _translate(call, app, [o.data for r in reply.results for o in r.outputs], request.output_config.language)
    reply.status.CopyFrom(_overall([r.status for r in reply.results]))
    return reply


def _trims(conn: Connection, version: Row[Any], asked: resources_pb2.OutputConfig) -> dict[str, Trim]:
    """Node id to what is shown of its output: as its model version says, save what the request says."""
    nodes = workflows.nodes(conn, version.pk)
    rows = models.versions_by_pk(conn, {node.model_version for node in nodes})
    return {
        node.node_id: trim_of(output_info(rows[node.model_version].wire).output_config, asked)
        for node in nodes
        if node.model_version in rows
    }


@serves("PostModelOutputs")
def post_model_outputs(call: Call, request: service_pb2.PostModelOutputsRequest) -> service_pb2.MultiOutputResponse:
    """Run one model over inputs."""
    given_info = model_settings.given(request.model) or resources_pb2.OutputInfo()
    _check(request.inputs, MAX_MODEL_INPUTS, given_info.output_config)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        _, model = model_wire.find(conn, call, request.user_app_id, request.model_id)
        newest = None if request.version_id else models.newest_usable(conn, [model.pk]).get(model.pk)
        version = newest or model_wire.find_version(conn, model, request.version_id)
    model_type = registry.get(model.model_type_id)
    if model_type.make is None:
        # Types without weights look at theirs when they are made.
        registry.check_params(model_type, model_settings.plain(given_info.params))
    said = output_info(version.wire)
    strange = _unknown(model_type, said, given_info.output_config)
    results = _predict(
        call,
        app,
        request.inputs,
        model_version=version.pk,
        called=request.model_id,
        output_info=given_info.SerializeToString(),
    )
    by = trim_of(said.output_config, given_info.output_config)
    reply = service_pb2.MultiOutputResponse()
    for given, result in zip(request.inputs, results, strict=True):
        output = reply.outputs.add()
        if isinstance(result, LabelwrightError):
            output.id = new_id()
            set_time(output.created_at, now())
            _echo(output.input, given)
        else:
            _fill(output, result[0], given, by)
        output.status.CopyFrom(_status(result))
    _translate(
        call, app, [o.data for o in reply.outputs], given_info.output_config.language or said.output_config.language
    )
    reply.status.CopyFrom(_overall([o.status for o in reply.outputs]))
    if strange and reply.status.code == SUCCESS:
        reply.status.CopyFrom(status(MIXED, f"select_concepts: the model does not know {', '.join(strange)}"))
    return reply


@serves("GenerateModelOutputs")
def generate_model_outputs(
    call: Call, request: service_pb2.PostModelOutputsRequest
) -> Iterable[service_pb2.MultiOutputResponse]:
    """The same as a stream of one reply, with an output for each input: no model here makes its output bit by bit."""
    yield post_model_outputs(call, request)


def _unknown(model_type: ModelType, said: resources_pb2.OutputInfo, config: resources_pb2.OutputConfig) -> list[str]:
    """The selected concepts that a model does not know; none for one whose concepts are not listed.

    Raises:
        ModelInvalidArgument: it knows none of them.
    """
    known = said.data.concepts
    if not (model_type.predicts and known and config.select_concepts):
        return []
    strange = [repr(c.id or c.name) for c in unknown(config.select_concepts, known)]
    if len(strange) == len(config.select_concepts):
        raise ModelInvalidArgument(
            f"select_concepts: the model knows none of {', '.join(strange)}; ListModelConcepts tells those it knows"
        )
    return strange


def _translate(call: Call, app: Row[Any], data: Sequence[resources_pb2.Data], language: str) -> None:
    if language:
        with call.store.read() as conn:
            translate(conn, data, language, (app.user_id, app.id))


def _check(inputs: Sequence[resources_pb2.Input], most: int, config: resources_pb2.OutputConfig) -> None:
    if not 1 <= len(inputs) <= most:
        raise InvalidRequest(f"{len(inputs)} inputs given; 1 to {most} a call are legal")
    if config.max_concepts > MAX_CONCEPTS:
        raise InvalidRequest(f"max_concepts is {config.max_concepts}; 1 to {MAX_CONCEPTS} are legal, 0 means 20")
    if not 0 <= config.min_value <= 1:
        raise InvalidRequest(f"min_value is {config.min_value:g}; 0 to 1 are legal")


def _predict(call: Call, app: Row[Any], given: Sequence[resources_pb2.Input], **what: Any) -> list[Prediction]:
    """What was predicted for each input; what can't be an input at all never reaches the predictor."""
    refused = {i: problem for i, one in enumerate(given) if (problem := _problem(one)) is not None}
    asked = [i for i in range(len(given)) if i not in refused]
    results: list[Prediction] = [()] * len(given)
    for i, problem in refused.items():
        results[i] = problem
    if asked:
        task = Task(
            app=app.pk,
            inputs=tasks_inputs([(given[i].id or str(i), given[i].data, None) for i in asked]),
            **what,
        )
        for i, result in zip(asked, call.server.predict(task), strict=True):
            results[i] = result
    return results


def _problem(given: resources_pb2.Input) -> LabelwrightError | None:
    data = given.data
    kind = kind_of(data)
    media = data.image.base64 or data.video.base64 or data.audio.base64 or data.text.raw or url_of(data)
    # Operators may be tried on their own with concepts or regions alone, so a Data need not hold media.
    if kind is not None and not media:
        return InputInvalidArgument(f"its {kind} has neither url nor bytes")
    if kind is None and not data.ByteSize():
        return InputInvalidArgument("the input is empty: give it an image, a text, or other data")
    return None


def _status(result: Prediction) -> status_pb2.Status:
    return error_status(result) if isinstance(result, LabelwrightError) else status(SUCCESS)


def _overall(each: Sequence[status_pb2.Status]) -> status_pb2.Status:
    """The status over all: of a single input its own; of several, whether all, some or none went well."""
    good = sum(s.code == SUCCESS for s in each)
    if good == len(each):
        return status(SUCCESS)
    if len(each) == 1:
        return each[0]
    return status(MIXED if good else FAILURE, f"{len(each) - good} of {len(each)} inputs failed; see each one's status")


def _echo(target: resources_pb2.Input, given: resources_pb2.Input) -> None:
    """The input as it was given, without its bytes, wherever they stand: the client has them."""
    target.CopyFrom(given)
    for place in places(target.data):
        for kind in ("image", "video", "audio"):
            if place.HasField(kind):
                getattr(place, kind).ClearField("base64")
        if place.HasField("image"):
            place.image.ClearField("decoded_bytes")


def _fill(
    output: resources_pb2.Output,
    node: NodeOutput,
    given: resources_pb2.Input,
    by: Trim,
) -> None:
    output.id = new_id()
    set_time(output.created_at, now())
    output.status.CopyFrom(status(SUCCESS))
    model = output.model
    model.id, model.app_id, model.user_id = node.model.model_id, node.model.app_id, node.model.user_id
    model.name, model.model_type_id = node.model.name, node.model_type_id
    model.model_version.id = node.model.version_id
    _echo(output.input, given)
    output.data.ParseFromString(node.data)
    trim(output.data, by)

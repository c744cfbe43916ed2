"""The auto-annotation tutorial, step by step, with the official client."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from clarifai_grpc.channel.clarifai_channel import ClarifaiChannel
from clarifai_grpc.grpc.api import resources_pb2, service_pb2, service_pb2_grpc
from clarifai_grpc.grpc.api.status import status_code_pb2, status_pb2
from google.protobuf.struct_pb2 import Struct

from labelwright.demo.own_server import DemoFailed, OwnServer
from labelwright.demo.photos import Photo
from labelwright.demo.results import Box, Finding, Outcome, Result

APP, WORKFLOW = "auto-annotation", "auto-annotation-workflow-id"
MAPPER, GREATER, LESS = "synonym-model-id", "greater-than-model-id", "less-than-model-id"
WRITE_SUCCESS, WRITE_PENDING = "write-success-model-id", "write-pending-model-id"

CONCEPTS = (
    ("peopleID", "people", "ai_l8TKp2h5", 0.5),
    ("manID", "man", "ai_dxSG2s86", 0.5),
    ("adultID", "adult", "ai_VPmHr5bm", 0.95),
)
"""Id and name, the concept of clarifai/main that it is a synonym of, the threshold."""
THRESHOLDS = {name: threshold for _, name, _, threshold in CONCEPTS}

_PUBLIC = {
    "general-embed": ("bbb5f41425b8468d9b7a554ff10f8581", "bb186755eda04f9cbb6fe32e816be104"),
    "general-concept": ("aaa03c23b3724a16a56b629203edc62c", "aa7f35c01e0642fda5cf400f543e7c40"),
    "general-cluster": ("cccbe437d6e54e2bb911c6aa292fb072", "cc2074cff6dc4c02b6f4e1b8606dcb54"),
}
_OWN = (
    ("mapper", MAPPER, "general-concept"),
    ("greater-than", GREATER, "mapper"),
    ("write-success", WRITE_SUCCESS, "greater-than"),
    ("less-than", LESS, "mapper"),
    ("write-pending", WRITE_PENDING, "less-than"),
)

_POSTED, _PAGE = 128, 500
"""Inputs that one call may add, and annotations of one page: well below what the server takes."""
_CALL_LIMIT = 120.0
_STALL_LIMIT = 120.0
"""Seconds without any input done: at 0.2 seconds an image, something is broken by then."""
_LOOK = 0.1
_BOXED = 32
"""Photos whose faces are looked for again, for the report's boxes."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name, what it is, and the work, which gives a short line on what came of it."""

    title: str
    about: str
    run: Callable[[], str]


@dataclass
class Tutorial:
    """The tutorial's calls on a server, and what they came to. The steps build on each other: run them in order."""

    server: OwnServer
    stub: service_pb2_grpc.V2Stub
    photos: Sequence[Photo]
    urls: Sequence[str]
    labelled: Callable[[int], object] = int
    """Told how many inputs are done, while they are waited for."""
    _versions: dict[str, str] = field(default_factory=dict)
    _photo_of: dict[str, int] = field(default_factory=dict)
    _failures: dict[int, str] = field(default_factory=dict)
    _findings: dict[int, list[Finding]] = field(default_factory=dict)
    _boxes: dict[int, tuple[Box, ...]] = field(default_factory=dict)

    def steps(self) -> list[Step]:
        """The steps, in their order."""
        return [
            Step("App", "a place for inputs, concepts and models", self._app),
            Step("Concepts", "what the labels may say", self._concepts),
            Step("Relations", "each a synonym of a concept of clarifai/main", self._relations),
            Step("Concept mapper", "turns the general model's concepts into yours", self._mapper),
            Step("Greater than", "lets confident predictions through", lambda: self._threshold(GREATER)),
            Step("Less than", "lets unsure predictions through", lambda: self._threshold(LESS)),
            Step("Write success", "writes labels, as you", lambda: self._writer(WRITE_SUCCESS)),
            Step("Write pending", "writes what a person should look at", lambda: self._writer(WRITE_PENDING)),
            Step("Workflow", "connects the models", self._workflow),
            Step("Preview", "one photo through the workflow; writes nothing", self._preview),
            Step("Default workflow", "from now on, every new input runs through it", self._default),
            Step("Add photos", "by their URLs", self._inputs),
            Step("Label", "the server works through them by itself", self._wait),
            Step("List annotations", "with your user id", self._annotations),
            Step("Faces", "asks the face detector where, for the report", self._faces),
        ]

    def results(self) -> list[Result]:
        """What was found on each photo, in the photos' order."""
        return [
            Result(
                photo,
                tuple(sorted(self._findings.get(i, ()), key=lambda f: (-f.score, f.concept))),
                self._failures.get(i, ""),
                self._boxes.get(i, ()),
            )
            for i, photo in enumerate(self.photos)
        ]

    def _app(self) -> str:
        self._call("PostApps", service_pb2.PostAppsRequest(apps=[resources_pb2.App(id=APP)]))
        return APP

    def _concepts(self) -> str:
        concepts = [resources_pb2.Concept(id=key, name=name) for key, name, _, _ in CONCEPTS]
        self._call("PostConcepts", service_pb2.PostConceptsRequest(concepts=concepts))
        return ", ".join(name for _, name, _, _ in CONCEPTS)

    def _relations(self) -> str:
        for key, _, public, _ in CONCEPTS:
            relation = resources_pb2.ConceptRelation(
                object_concept=resources_pb2.Concept(id=public, app_id="main"), predicate="synonym"
            )
            self._call(
                "PostConceptRelations",
                service_pb2.PostConceptRelationsRequest(concept_id=key, concept_relations=[relation]),
            )
        return ", ".join(f"{name} = {public}" for _, name, public, _ in CONCEPTS)

    def _mapper(self) -> str:
        return self._model(MAPPER, "concept-synonym-mapper", {"knowledge_graph_id": ""})

    def _threshold(self, model_id: str) -> str:
        greater = model_id == GREATER
        kind = resources_pb2.GREATER_THAN if greater else resources_pb2.LESS_THAN
        data = resources_pb2.Data(
            concepts=[resources_pb2.Concept(id=key, value=threshold) for key, _, _, threshold in CONCEPTS]
        )
        self._model(model_id, "concept-threshold", {"concept_threshold_type": kind}, data)
        return ", ".join(f"{name} {'≥' if greater else '<'} {threshold:g}" for name, threshold in THRESHOLDS.items())

    def _writer(self, model_id: str) -> str:
        success = model_id == WRITE_SUCCESS
        code = status_code_pb2.ANNOTATION_SUCCESS if success else status_code_pb2.ANNOTATION_PENDING
        self._model(
            model_id, "annotation-writer", {"annotation_status": code, "annotation_user_id": self.server.user_id}
        )
        return "ANNOTATION_SUCCESS" if success else "ANNOTATION_PENDING"

    def _model(
        self, model_id: str, model_type_id: str, params: dict[str, Any], data: resources_pb2.Data | None = None
    ) -> str:
        struct = Struct()
        struct.update(params)
        model = resources_pb2.Model(
            id=model_id,
            model_type_id=model_type_id,
            output_info=resources_pb2.OutputInfo(data=data, params=struct),
        )
        reply = self._call("PostModels", service_pb2.PostModelsRequest(models=[model]))
        self._versions[model_id] = reply.model.model_version.id
        return model_type_id

    def _workflow(self) -> str:
        def node(name: str, model: str, version: str, source: str = "") -> resources_pb2.WorkflowNode:
            return resources_pb2.WorkflowNode(
                id=name,
                model=resources_pb2.Model(id=model, model_version=resources_pb2.ModelVersion(id=version)),
                node_inputs=[resources_pb2.NodeInput(node_id=source)] if source else [],
            )

        nodes = [node(name, *model) for name, model in _PUBLIC.items()]
        nodes += [node(name, model, self._versions[model], source) for name, model, source in _OWN]
        workflow = resources_pb2.Workflow(id=WORKFLOW, nodes=nodes)
        self._call("PostWorkflows", service_pb2.PostWorkflowsRequest(workflows=[workflow]))
        return f"{len(nodes)} nodes"

    def _preview(self) -> str:
        request = service_pb2.PostWorkflowResultsRequest(workflow_id=WORKFLOW, inputs=[_image(self.urls[0])])
        reply = self._send("PostWorkflowResults", request)
        name = self.photos[0].name
        if not reply.results:
            raise _failed("PostWorkflowResults", reply.status)
        result = reply.results[0]
        if result.status.code != status_code_pb2.SUCCESS:
            # A photo that can't be read is no reason to stop: it fails as an input, further down.
            return f"{name}: {_reason(result.status)}"
        mapped = next(o.data.concepts for o in result.outputs if o.model.id == MAPPER)
        return f"{name}: " + (", ".join(f"{c.name} {c.value:.2f}" for c in mapped) or "nothing seen")

    def _default(self) -> str:
        app = resources_pb2.App(id=APP, default_workflow_id=WORKFLOW)
        self._call("PatchApps", service_pb2.PatchAppsRequest(action="overwrite", apps=[app]))
        return WORKFLOW

    def _inputs(self) -> str:
        for start in range(0, len(self.urls), _POSTED):
            posted = [_image(url) for url in self.urls[start : start + _POSTED]]
            reply = self._send("PostInputs", service_pb2.PostInputsRequest(inputs=posted))
            if len(reply.inputs) != len(posted):
                raise _failed("PostInputs", reply.status)
            for i, made in enumerate(reply.inputs, start):
                if made.status.code in (status_code_pb2.INPUT_DOWNLOAD_PENDING, status_code_pb2.SUCCESS):
                    self._photo_of[made.id] = i
                else:
                    self._failures[i] = _reason(made.status)
        return f"{len(self._photo_of)} accepted"

    def _wait(self) -> str:
        last, since = -1, time.monotonic()
        while True:
            counts = self._call("GetInputCount", service_pb2.GetInputCountRequest()).counts
            done = counts.processed + counts.errors
            self.labelled(done)
            if done >= len(self._photo_of):
                break
            if done != last:
                last, since = done, time.monotonic()
            elif time.monotonic() - since > _STALL_LIMIT:
                raise DemoFailed(
                    f"no input was done in {_STALL_LIMIT:.0f} seconds, {done} of {len(self._photo_of)} are; "
                    f"the server's last lines:\n{self.server.last_lines()}"
                )
            time.sleep(_LOOK)
        if counts.errors:
            self._read_failures()
        return f"{done - counts.errors} done, {len(self._failures)} failed"

    def _read_failures(self) -> None:
        for page in self._pages("ListInputs", service_pb2.ListInputsRequest, "inputs"):
            for one in page:
                if one.status.code != status_code_pb2.INPUT_DOWNLOAD_SUCCESS and one.id in self._photo_of:
                    self._failures[self._photo_of[one.id]] = _reason(one.status)

    def _annotations(self) -> str:
        listed = 0
        asked = {"user_ids": [self.server.user_id], "list_all_annotations": True}
        for page in self._pages("ListAnnotations", service_pb2.ListAnnotationsRequest, "annotations", **asked):
            listed += len(page)
            for annotation in page:
                outcome = {
                    status_code_pb2.ANNOTATION_SUCCESS: Outcome.LABELLED,
                    status_code_pb2.ANNOTATION_PENDING: Outcome.WAITING,
                }.get(annotation.status.code)
                photo = self._photo_of.get(annotation.input_id)
                if outcome is None or photo is None:
                    continue
                for concept in annotation.data.concepts:
                    found = Finding(concept.name, concept.value, THRESHOLDS.get(concept.name, 0.5), outcome)
                    self._findings.setdefault(photo, []).append(found)
        return f"{listed} annotations"

    def _faces(self) -> str:
        photos = sorted(self._findings)[:_BOXED]
        if not photos:
            return "none to ask for"
        request = service_pb2.PostModelOutputsRequest(
            model_id="face-detection", inputs=[_image(self.urls[i]) for i in photos]
        )
        reply = self._send("PostModelOutputs", request)
        for i, output in zip(photos, reply.outputs, strict=False):
            # Boxes with no score to speak of are no part of why a photo was labelled.
            seen = [r.region_info.bounding_box for r in output.data.regions if _score(r) >= 0.05]
            self._boxes[i] = tuple(Box(b.top_row, b.left_col, b.bottom_row, b.right_col) for b in seen)
        return f"{sum(map(len, self._boxes.values()))} found"

    def _pages(self, rpc: str, kind: Any, name: str, **asked: Any) -> Iterator[Any]:
        page = 1
        while True:
            rows = getattr(self._call(rpc, kind(page=page, per_page=_PAGE, **asked)), name)
            yield rows
            if len(rows) < _PAGE:
                return
            page += 1

    def _call(self, rpc: str, request: Any) -> Any:
        """Call an RPC that has to succeed."""
        reply = self._send(rpc, request)
        if reply.status.code != status_code_pb2.SUCCESS:
            raise _failed(rpc, reply.status)
        return reply

    def _send(self, rpc: str, request: Any) -> Any:
        request.user_app_id.CopyFrom(resources_pb2.UserAppIDSet(user_id=self.server.user_id, app_id=APP))
        metadata = (("authorization", f"Key {self.server.token}"),)
        try:
            return getattr(self.stub, rpc)(request, metadata=metadata, timeout=_CALL_LIMIT)
        except grpc.RpcError as e:
            self.server.check()
            raise DemoFailed(
                f"{rpc} was not answered: {e}\nthe server's last lines:\n{self.server.last_lines()}"
            ) from e


@contextmanager
def official_client(port: int) -> Iterator[service_pb2_grpc.V2Stub]:
    """The official client, connected to a port of this machine."""
    with (
        _unproxied(),
        ClarifaiChannel.get_insecure_grpc_channel(base="127.0.0.1", port=port) as channel,
    ):
        yield service_pb2_grpc.V2Stub(channel)


@contextmanager
def _unproxied() -> Iterator[None]:
    # gRPC would ask a proxy of the environment even for the loopback address; it knows the lower case only.
    name = "no_grpc_proxy"
    before = os.environ.get(name)
    os.environ[name] = "127.0.0.1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _image(url: str) -> resources_pb2.Input:
    return resources_pb2.Input(data=resources_pb2.Data(image=resources_pb2.Image(url=url)))


def _score(region: resources_pb2.Region) -> float:
    return max((c.value for c in region.data.concepts), default=region.value)


def _reason(status: status_pb2.Status) -> str:
    return ": ".join(part for part in (status.description, status.details) if part) or f"status {status.code}"


def _failed(rpc: str, status: status_pb2.Status) -> DemoFailed:
    return DemoFailed(f"{rpc} failed: {_reason(status)}")

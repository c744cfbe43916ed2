"""The package's JSON channel: the same calls as over gRPC, through HTTP and JSON."""

from __future__ import annotations

import os
import time
from typing import Any

from clarifai_grpc.channel.clarifai_channel import ClarifaiChannel
from clarifai_grpc.grpc.api import resources_pb2 as resources
from clarifai_grpc.grpc.api import service_pb2 as service
from clarifai_grpc.grpc.api import service_pb2_grpc
from facts import BASE, PAT, PHOTOS_FOLDER, PHOTOS_URL, USER, facts
from google.protobuf.struct_pb2 import Struct

APP = "json-channel"
stub = service_pb2_grpc.V2Stub(ClarifaiChannel.get_json_channel(BASE))


def call(rpc: str, request: Any, key: str = PAT, app: str = APP) -> Any:
    request.user_app_id.user_id = USER
    request.user_app_id.app_id = app
    return getattr(stub, rpc)(request, metadata=(("authorization", f"Key {key}"),))


def photo(**media: Any) -> resources.Data:
    return resources.Data(image=resources.Image(**media))


def struct(**values: Any) -> Struct:
    made = Struct()
    made.update(values)
    return made


with facts() as saw:
    with open(os.path.join(PHOTOS_FOLDER, "astronaut.jpg"), "rb") as f:
        astronaut = f.read()

    made = call("PostApps", service.PostAppsRequest(apps=[resources.App(id=APP, default_workflow_id="Empty")]))
    saw["app"] = [made.status.code, made.apps[0].id, made.apps[0].user_id, made.apps[0].HasField("created_at")]
    listed = call("ListApps", service.ListAppsRequest(page=1, per_page=50), app="")
    saw["apps"] = APP in [a.id for a in listed.apps]
    patch = resources.App(id=APP, description="Über JSON.")
    saw["patched app"] = call("PatchApp", service.PatchAppRequest(action="overwrite", app=patch)).app.description
    saw["got app"] = call("GetApp", service.GetAppRequest()).app.description

    concepts = [resources.Concept(id=i, name=i.title()) for i in ("food", "honey", "bee")]
    saw["concepts"] = [c.id for c in call("PostConcepts", service.PostConceptsRequest(concepts=concepts)).concepts]
    saw["a concept"] = call("GetConcept", service.GetConceptRequest(concept_id="honey")).concept.name
    page = call("ListConcepts", service.ListConceptsRequest(page=2, per_page=2))
    saw["page of concepts"] = len(page.concepts)
    renamed = [resources.Concept(id="bee", name="Honey bee")]
    patched = call("PatchConcepts", service.PatchConceptsRequest(action="overwrite", concepts=renamed))
    saw["patched concept"] = patched.concepts[0].name
    query = service.PostConceptsSearchesRequest(concept_query=resources.ConceptQuery(name="Hon*"))
    saw["found concepts"] = sorted(c.id for c in call("PostConceptsSearches", query).concepts)

    relations = [resources.ConceptRelation(object_concept=resources.Concept(id="honey"), predicate="hypernym")]
    posted = call(
        "PostConceptRelations", service.PostConceptRelationsRequest(concept_id="food", concept_relations=relations)
    )
    relation = posted.concept_relations[0]
    saw["relation"] = [relation.subject_concept.id, relation.predicate, relation.object_concept.id]
    turned = call("ListConceptRelations", service.ListConceptRelationsRequest(concept_id="honey")).concept_relations
    saw["turned"] = [[r.subject_concept.id, r.predicate, r.object_concept.id] for r in turned]
    listed = call("ListConceptRelations", service.ListConceptRelationsRequest(predicate="hyponym"))
    saw["hyponyms"] = [[r.subject_concept.id, r.object_concept.id] for r in listed.concept_relations]
    delete = service.DeleteConceptRelationsRequest(concept_id="food", ids=[relation.id])
    saw["deleted relation"] = call("DeleteConceptRelations", delete).status.code

    by_url = photo(url=f"{PHOTOS_URL}/astronaut.jpg")
    by_url.concepts.add(id="person", value=1)
    by_url.concepts.add(id="cat", value=0)
    by_url.metadata.update({"shelf": "a", "nested": {"row": 3, "list": [1, "two", None]}})
    by_url.geo.geo_point.longitude, by_url.geo.geo_point.latitude = 8.5, 47.25
    inputs = [
        resources.Input(id="by-url", data=by_url),
        resources.Input(id="by-bytes", data=photo(base64=astronaut)),
        resources.Input(id="text", data=resources.Data(text=resources.Text(raw='Two "cups" – of\ncoffee 🐝'))),
    ]
    posted = call("PostInputs", service.PostInputsRequest(inputs=inputs, inputs_add_job_id="one-job"))
    saw["posted"] = [posted.status.code, [i.status.code for i in posted.inputs]]
    while call("GetInputCount", service.GetInputCountRequest()).counts.processed < 3:
        time.sleep(0.05)
    job = call("GetInputsAddJob", service.GetInputsAddJobRequest(id="one-job")).inputs_add_job
    saw["job"] = [job.progress.pending_count, job.progress.success_count]
    got = call("GetInput", service.GetInputRequest(input_id="by-url")).input
    saw["input"] = {
        "status": got.status.code,
        "concepts": sorted([c.id, c.value] for c in got.data.concepts),
        "shelf": got.data.metadata["shelf"],
        "nested": [got.data.metadata["nested"]["row"], len(got.data.metadata["nested"]["list"])],
        "geo": [got.data.geo.geo_point.longitude, got.data.geo.geo_point.latitude],
    }
    saw["text"] = call("GetInput", service.GetInputRequest(input_id="text")).input.data.text.raw
    listed = call("ListInputs", service.ListInputsRequest(page=1, per_page=2))
    saw["page of inputs"] = len(listed.inputs)
    listed = call("ListInputs", service.ListInputsRequest(ids=["text", "by-url"]))
    saw["inputs by id"] = sorted(i.id for i in listed.inputs)
    change = resources.Input(id="text", data=resources.Data(concepts=[resources.Concept(id="drink", value=1)]))
    patched = call("PatchInputs", service.PatchInputsRequest(action="merge", inputs=[change]))
    saw["patched input"] = [[c.id, c.value] for c in patched.inputs[0].data.concepts]

    box = resources.BoundingBox(top_row=0, left_col=0.25, bottom_row=0.5, right_col=1)
    region = resources.Region(
        region_info=resources.RegionInfo(bounding_box=box),
        data=resources.Data(concepts=[resources.Concept(id="face", value=1)]),
    )
    annotation = resources.Annotation(id="box", input_id="by-url", data=resources.Data(regions=[region]))
    posted = call("PostAnnotations", service.PostAnnotationsRequest(annotations=[annotation]))
    saw["annotation"] = [posted.status.code, posted.annotations[0].status.code]
    got = call("GetAnnotation", service.GetAnnotationRequest(input_id="by-url", annotation_id="box")).annotation
    bounds = got.data.regions[0].region_info.bounding_box
    saw["box"] = [bounds.top_row, bounds.left_col, bounds.bottom_row, bounds.right_col]
    listed = call("ListAnnotations", service.ListAnnotationsRequest(input_ids=["by-url"], list_all_annotations=True))
    saw["annotations"] = len(listed.annotations)
    listed = call("ListAnnotations", service.ListAnnotationsRequest(user_ids=[USER]))
    saw["by user"] = len(listed.annotations)
    annotation.data.regions[0].region_info.bounding_box.top_row = 0.125
    patched = call("PatchAnnotations", service.PatchAnnotationsRequest(action="overwrite", annotations=[annotation]))
    saw["moved"] = patched.annotations[0].data.regions[0].region_info.bounding_box.top_row
    delete = service.DeleteAnnotationsRequest(input_ids=["by-url"], ids=["box"])
    saw["deleted annotation"] = call("DeleteAnnotations", delete).status.code

    model = resources.Model(
        id="sure",
        model_type_id="concept-threshold",
        output_info=resources.OutputInfo(
            params=struct(concept_threshold_type=1),
            data=resources.Data(concepts=[resources.Concept(id="ai_l8TKp2h5", value=0.5)]),
        ),
    )
    posted = call("PostModels", service.PostModelsRequest(models=[model]))
    saw["model"] = [posted.model.id, posted.model.model_version.status.code]
    got = call("GetModelOutputInfo", service.GetModelRequest(model_id="sure")).model
    saw["thresholds"] = [[c.id, c.value] for c in got.output_info.data.concepts]
    saw["models"] = [m.id for m in call("ListModels", service.ListModelsRequest()).models]
    saw["types"] = len(call("ListModelTypes", service.ListModelTypesRequest(per_page=500)).model_types) > 3
    versions = call("ListModelVersions", service.ListModelVersionsRequest(model_id="sure")).model_versions
    saw["versions"] = [v.id == posted.model.model_version.id for v in versions]

    question = [
        resources.Input(data=photo(base64=astronaut)),
        resources.Input(data=photo(url=f"{PHOTOS_URL}/coffee.jpg")),
    ]
    request = service.PostModelOutputsRequest(model_id="aaa03c23b3724a16a56b629203edc62c", inputs=question)
    outputs = call("PostModelOutputs", request).outputs
    saw["outputs"] = [[o.status.code, [c.name for c in o.data.concepts]] for o in outputs]
    request = service.PostModelOutputsRequest(model_id="bbb5f41425b8468d9b7a554ff10f8581", inputs=question[:1])
    (output,) = call("PostModelOutputs", request).outputs
    saw["embedding"] = output.data.embeddings[0].num_dimensions == len(output.data.embeddings[0].vector) > 0

    nodes = [
        resources.WorkflowNode(id="see", model=resources.Model(id="aaa03c23b3724a16a56b629203edc62c")),
        resources.WorkflowNode(
            id="sure", model=resources.Model(id="sure"), node_inputs=[resources.NodeInput(node_id="see")]
        ),
    ]
    workflow = resources.Workflow(id="people", nodes=nodes)
    saw["workflow"] = [
        n.id for n in call("PostWorkflows", service.PostWorkflowsRequest(workflows=[workflow])).workflows[0].nodes
    ]
    request = service.PostWorkflowResultsRequest(workflow_id="people", inputs=question[:1])
    saw["results"] = [o.model.id for o in call("PostWorkflowResults", request).results[0].outputs]
    saw["got workflow"] = call("GetWorkflow", service.GetWorkflowRequest(workflow_id="people")).workflow.id

    wrong = call("ListInputs", service.ListInputsRequest(), key="no-key")
    saw["wrong key"] = [wrong.status.code, wrong.status.description]
    missing = call("GetInput", service.GetInputRequest(input_id="nobody"))
    saw["missing"] = [missing.status.code, bool(missing.status.details), bool(missing.status.req_id)]
    taken = call("PostConcepts", service.PostConceptsRequest(concepts=[resources.Concept(id="food")]))
    saw["taken"] = [taken.status.code, "duplicate" in taken.status.details]
    far = call("ListInputs", service.ListInputsRequest(page=1000, per_page=500))
    saw["far page"] = [far.status.code, len(far.inputs)]
    bad = call("PostModelOutputs", service.PostModelOutputsRequest(model_id="sure", inputs=[]))
    saw["nothing to predict"] = bad.status.code

    saw["deleted inputs"] = call("DeleteInputs", service.DeleteInputsRequest(ids=["text", "by-url"])).status.code
    saw["deleted input"] = call("DeleteInput", service.DeleteInputRequest(input_id="by-bytes")).status.code
    saw["no inputs"] = len(call("ListInputs", service.ListInputsRequest()).inputs)
    saw["deleted workflow"] = call("DeleteWorkflow", service.DeleteWorkflowRequest(workflow_id="people")).status.code
    saw["deleted model"] = call("DeleteModel", service.DeleteModelRequest(model_id="sure")).status.code
    saw["deleted app"] = call("DeleteApp", service.DeleteAppRequest()).status.code
    saw["no app"] = call("GetApp", service.GetAppRequest()).status.code

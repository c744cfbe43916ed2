"""The Python SDK: workflows, made from YAML, exported, and used."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import yaml
from clarifai.client.input import Inputs
from clarifai.client.user import User
from clarifai.client.workflow import Workflow
from facts import BASE, PAT, PHOTOS_FOLDER, PHOTOS_URL, USER, facts, refusal

EXISTING = """
workflow:
  id: people
  nodes:
    - id: recognition
      model:
        model_id: general-image-recognition
        user_id: clarifai
        app_id: main
    - id: embedding
      model:
        model_id: bbb5f41425b8468d9b7a554ff10f8581
        model_version_id: bb186755eda04f9cbb6fe32e816be104
        user_id: clarifai
        app_id: main
    - id: cluster
      model:
        model_id: general-clusterering
        user_id: clarifai
        app_id: main
      node_inputs:
        - node_id: embedding
"""
NEW = """
workflow:
  id: sure-people
  nodes:
    - id: recognition
      model:
        model_id: general-image-recognition
        user_id: clarifai
        app_id: main
    - id: sure
      model:
        model_id: sure
        model_type_id: concept-threshold
        description: Made by the SDK, from YAML.
        output_info:
          params:
            concept_threshold_type: GREATER_THAN
            filter_other_concepts: false
      node_inputs:
        - node_id: recognition
"""


def outputs(reply: object) -> list[list[object]]:
    """Of the first result: each node's model, and what it said."""
    return [
        [o.model.id, [c.name for c in o.data.concepts], bool(o.data.clusters), bool(o.data.embeddings)]
        for o in reply.results[0].outputs
    ]


with facts() as saw, tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    user = User(user_id=USER, base_url=BASE, pat=PAT)
    app = user.create_app("sdk-workflows")
    file = os.path.join(PHOTOS_FOLDER, "astronaut.jpg")
    astronaut = Path(file).read_bytes()

    (folder / "existing.yml").write_text(EXISTING)
    people = app.create_workflow(str(folder / "existing.yml"))
    saw["nodes"] = [[n.id, n.model.id, [i.node_id for i in n.node_inputs]] for n in people.nodes]
    saw["url"] = outputs(people.predict_by_url(f"{PHOTOS_URL}/astronaut.jpg", "image"))
    saw["bytes"] = outputs(people.predict_by_bytes(astronaut)) == saw["url"]
    saw["file"] = outputs(people.predict_by_filepath(file, input_type="image")) == saw["url"]
    two = [Inputs.get_input_from_bytes("", image_bytes=astronaut) for _ in range(2)]
    saw["two"] = len(people.predict(two).results)
    saw["no picture"] = refusal(lambda: people.predict_by_bytes(b"no picture", "image"))

    (folder / "new.yml").write_text(NEW)
    sure = app.create_workflow(str(folder / "new.yml"))
    saw["sure"] = outputs(sure.predict_by_bytes(astronaut, "image"))
    model = app.model("sure")
    saw["made"] = [model.model_type_id, model.description, len(list(model.list_versions()))]
    # The same model once more, under another workflow: the SDK sees that it is the same.
    (folder / "again.yml").write_text(NEW.replace("id: sure-people", "id: sure-again"))
    app.create_workflow(str(folder / "again.yml"), display=False)
    saw["still one version"] = len(list(model.list_versions()))
    saw["taken"] = refusal(lambda: app.create_workflow(str(folder / "new.yml")))
    saw["listed"] = sorted(w.id for w in app.list_workflows())

    people.export(str(folder / "exported.yml"))
    exported = yaml.safe_load((folder / "exported.yml").read_text())
    saw["exported"] = [n["model"]["model_version_id"] for n in exported["workflow"]["nodes"]]
    app.delete_workflow("people")
    saw["gone"] = refusal(lambda: app.workflow("people"))
    back = app.create_workflow(str(folder / "exported.yml"))
    saw["back"] = outputs(back.predict_by_bytes(astronaut, "image")) == saw["url"]
    app.patch_workflow("people", action="overwrite", config_filepath=str(folder / "new.yml"))
    saw["patched"] = [n.id for n in app.workflow("people").nodes]
    saw["versions"] = len(list(app.workflow("people").list_versions()))

    public = Workflow("https://clarifai.com/clarifai/main/workflows/General", base_url=BASE, pat=PAT)
    saw["general"] = outputs(public.predict_by_bytes(astronaut, "image"))
    for one in ("people", "sure-people", "sure-again"):
        app.delete_workflow(one)
    saw["none left"] = len(list(app.list_workflows()))
    user.delete_app("sdk-workflows")

"""The Python SDK: models, the public ones and one of our own, and predictions."""

from __future__ import annotations

import os

from clarifai.client.app import App
from clarifai.client.input import Inputs
from clarifai.client.model import Model
from clarifai.client.user import User
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, OutputInfo
from facts import BASE, PAT, PHOTOS_FOLDER, PHOTOS_URL, USER, facts, refusal
from google.protobuf.struct_pb2 import Struct

with facts() as saw:
    user = User(user_id=USER, base_url=BASE, pat=PAT)
    app = user.create_app("sdk-models")
    file = os.path.join(PHOTOS_FOLDER, "astronaut.jpg")
    with open(file, "rb") as f:
        astronaut = f.read()

    main = App(app_id="main", user_id="clarifai", base_url=BASE, pat=PAT)
    saw["public"] = sorted(m.id for m in main.list_models())
    # The address in it is never opened: the SDK takes user, app and model from it.
    general = Model("https://clarifai.com/clarifai/main/models/general-image-recognition", base_url=BASE, pat=PAT)
    general.load_info()
    saw["general"] = [general.id, general.user_id, general.app_id, general.model_type_id]
    saw["inputs"] = (general.load_input_types(), list(general.input_types))[1]
    faces = Model(model_id="face-detection", user_id="clarifai", app_id="main", base_url=BASE, pat=PAT)
    found = {
        "url": general.predict_by_url(f"{PHOTOS_URL}/astronaut.jpg", "image"),
        "bytes": general.predict_by_bytes(astronaut),
        "file": general.predict_by_filepath(file, input_type="image"),
    }
    for way, reply in found.items():
        (output,) = reply.outputs
        saw[way] = [[c.name for c in output.data.concepts], output.data.concepts[0].value > 0.5, output.status.code]
    (output,) = faces.predict_by_bytes(astronaut, "image").outputs
    saw["faces"] = [[c.id for c in r.data.concepts] for r in output.data.regions]
    some = [Inputs.get_input_from_bytes("", image_bytes=astronaut) for _ in range(3)]
    saw["three"] = len(general.predict(inputs=some).outputs)
    none = general.predict_by_bytes(astronaut, "image", output_config={"min_value": 0.999999})
    saw["above all"] = len(none.outputs[0].data.concepts)
    saw["no picture"] = refusal(lambda: general.predict_by_bytes(b"no picture", "image"))
    saw["unknown"] = refusal(lambda: app.model("nobody"))

    params = Struct()
    params.update({"concept_threshold_type": "GREATER_THAN"})
    concepts = [Concept(id="ai_l8TKp2h5", value=0.5)]
    sure = app.create_model("sure", model_type_id="concept-threshold")
    first = sure.create_version(output_info=OutputInfo(params=params, data=Data(concepts=concepts)))
    concepts[0].value = 0.75
    second = sure.create_version(output_info=OutputInfo(params=params, data=Data(concepts=concepts)))
    saw["versions"] = [v.model_version.id for v in sure.list_versions()] == [
        second.model_version.id,
        first.model_version.id,
    ]
    saw["own"] = [m.id for m in app.list_models()]
    saw["filtered"] = [m.id for m in app.list_models(filter_by={"model_type_id": "concept-threshold"})]
    got = app.model("sure", model_version={"id": first.model_version.id})
    saw["got"] = [got.model_type_id, round(got.model_version.output_info.data.concepts[0].value, 3)]
    app.patch_model("sure", description="Keeps the sure ones.")
    saw["patched"] = app.model("sure").description
    sure.delete_version(first.model_version.id)
    saw["one version"] = len(list(sure.list_versions()))
    app.delete_model("sure")
    saw["gone"] = [[m.id for m in app.list_models()], refusal(lambda: app.model("sure"))]
    user.delete_app("sdk-models")

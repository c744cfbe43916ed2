"""The Python SDK: a model trained on labels, as its own examples do it."""

from __future__ import annotations

import os
import time

from clarifai.client.model import Model
from clarifai.client.user import User
from facts import BASE, PAT, USER, facts

FOLDER = os.environ["PHOTOS_FOLDER"]
TRAINED, UNDER_WAY = 21100, (21101, 21103)

with facts() as saw:
    user = User(user_id=USER, base_url=BASE, pat=PAT)
    app = user.create_app("sdk-training", base_workflow="Universal")
    inputs = app.inputs()
    for photo, label in (("rocket", "thing"), ("chelsea", "animal")):
        with open(f"{FOLDER}/{photo}.jpg", "rb") as f:
            data = f.read()
        for n in range(5):
            inputs.upload_from_bytes(input_id=f"{photo}-{n}", image_bytes=data, labels=[label])

    made = app.create_model("pets", model_type_id="embedding-classifier")
    model = Model(f"{BASE}/{USER}/sdk-training/models/pets", pat=PAT, base_url=BASE) if made is None else made
    params = model.get_params(save_to=f"{os.environ['HOME']}/params.yaml")
    saw["params"] = sorted(params["train_params"])
    saw["error"] = model.get_param_info("error")["param"]
    model.update_params(seed=7, concepts=["animal", "thing"])
    version_id = model.train()
    for _ in range(600):
        status = model.training_status(version_id=version_id, training_logs=True)
        if status.code not in UNDER_WAY:
            break
        time.sleep(0.1)
    saw["status"] = status.code
    model.load_info()
    saw["concepts"] = sorted(c.id for c in model.model_info.model_version.output_info.data.concepts)
    with open(f"{FOLDER}/chelsea.jpg", "rb") as f:
        outputs = model.predict_by_bytes(f.read(), input_type="image").outputs
    saw["best"] = outputs[0].data.concepts[0].id
    model.delete_version(version_id)
    saw["left"] = [v.model_version.status.code for v in model.list_versions()]
    user.delete_app("sdk-training")

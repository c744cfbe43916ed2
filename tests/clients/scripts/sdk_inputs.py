"""The Python SDK: inputs by URL, file and bytes, and what is said of them."""

from __future__ import annotations

import os

from clarifai.client.user import User
from facts import BASE, PAT, PHOTOS_FOLDER, PHOTOS_URL, USER, facts
from google.protobuf.struct_pb2 import Struct

with facts() as saw:
    user = User(user_id=USER, base_url=BASE, pat=PAT)
    app = user.create_app("sdk-inputs", base_workflow="Empty")
    inputs = app.inputs()
    file = os.path.join(PHOTOS_FOLDER, "coffee.jpg")
    with open(file, "rb") as f:
        coffee = f.read()

    metadata = Struct()
    metadata.update({"shelf": "a", "row": 3})
    _, by_url = inputs.upload_from_url(
        "by-url", image_url=f"{PHOTOS_URL}/astronaut.jpg", labels=["person"], geo_info=[8.5, 47.4], metadata=metadata
    )
    job, by_file = inputs.upload_from_file("by-file", image_file=file)
    _, by_bytes = inputs.upload_from_bytes("by-bytes", image_bytes=coffee, labels=["cup"], label_ids=["cup-1"])
    _, by_text = inputs.upload_text("by-text", raw_text="Two cups of coffee.")
    replies = (by_url, by_file, by_bytes, by_text)
    saw["codes"] = [[r.status.code, r.inputs[0].status.code] for r in replies]
    saw["job"] = inputs._wait_for_inputs(job)
    # What the bulk upload does: post, wait for the job, list what succeeded, delete the rest.
    batch = [inputs.get_text_input(f"bulk-{i}", f"text {i}") for i in range(40)]
    inputs._bulk_upload(batch, batch_size=16)
    _, again = inputs.upload_text("by-text", raw_text="Once more.")
    saw["taken"] = [again.inputs[0].status.code, again.inputs[0].status.details]

    inputs._wait_for_inputs(inputs.upload_inputs([inputs.get_text_input("last", "The last one.")])[0])
    while app.get_input_count() < 45:
        pass
    saw["listed"] = len(list(inputs.list_inputs()))
    saw["images"] = sorted(i.id for i in inputs.list_inputs(input_type="image"))
    saw["page"] = len(list(inputs.list_inputs(page_no=1)))
    one = inputs.get_input("by-url")
    saw["one"] = {
        "status": one.status.code,
        "concepts": [[c.id, c.value] for c in one.data.concepts],
        "metadata": dict(one.data.metadata),
        "geo": [round(one.data.geo.geo_point.longitude, 3), round(one.data.geo.geo_point.latitude, 3)],
    }
    (cup,) = inputs.get_input("by-bytes").data.concepts
    saw["cup"] = [cup.id, cup.name]
    hosted = inputs.get_input("by-bytes")
    saw["hosted"] = [bool(hosted.data.image.url), hosted.data.image.url.startswith(BASE)]
    saw["downloaded"] = [data == coffee for data in inputs.download_inputs([hosted])]

    changed = inputs.get_text_input("by-text", "", labels=["drink"])
    changed.data.ClearField("text")
    inputs.patch_inputs([changed])
    saw["patched"] = [c.id for c in inputs.get_input("by-text").data.concepts]

    box = [0.1, 0.2, 0.5, 0.6]
    saw["failed boxes"] = len(inputs.upload_annotations([inputs.get_bbox_proto("by-url", "face", box, annot_id="box")]))
    polygon = [[0.1, 0.1], [0.5, 0.1], [0.3, 0.6]]
    saw["failed masks"] = len(inputs.upload_annotations([inputs.get_mask_proto("by-url", "helmet", polygon)]))
    inputs.patch_annotations([inputs.get_bbox_proto("by-url", "face", [0.2, 0.2, 0.6, 0.7], annot_id="box")])
    annotations = list(inputs.list_annotations(batch_input=[one]))
    saw["annotations"] = len(annotations)
    (region,) = next(a for a in annotations if a.id == "box").data.regions
    bounds = region.region_info.bounding_box
    saw["box"] = [round(getattr(bounds, side), 3) for side in ("left_col", "top_row", "right_col", "bottom_row")]
    saw["face"] = [c.id for c in region.data.concepts]
    inputs.delete_annotations(["by-url"], ["box"])
    saw["after"] = len(list(inputs.list_annotations(batch_input=[one])))
    inputs.delete_annotations(["by-url"])
    saw["labels stay"] = [[c.id for c in a.data.concepts] for a in inputs.list_annotations(batch_input=[one])]

    inputs.delete_inputs([one])
    saw["left"] = len(list(inputs.list_inputs()))
    inputs.delete_inputs(list(inputs.list_inputs()))
    saw["none left"] = len(list(inputs.list_inputs()))
    user.delete_app("sdk-inputs")

"""Inputs of any kind in an app whose workflow looks at images."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2

from labelwright import config
from labelwright.annotator.worker import Annotator
from labelwright.media.blobs import BlobStore


@pytest.mark.parametrize("workflow", ["Universal", "General"])
def test_a_text_passes_the_image_models_by(client: Any, settings: config.Settings, workflow: str) -> None:
    app = resources_pb2.App(id="app", default_workflow_id=workflow)
    client.call("PatchApps", service_pb2.PatchAppsRequest(action="overwrite", apps=[app]))
    text = resources_pb2.Input(id="t", data=resources_pb2.Data(text=resources_pb2.Text(raw="no picture")))
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=[text]))
    annotator = Annotator(settings, client.server.store, BlobStore(settings.media_store_url))
    assert annotator.step() == 1
    done = client.call("GetInput", service_pb2.GetInputRequest(input_id="t")).input
    assert (done.status.code, done.status.details) == (30000, "")

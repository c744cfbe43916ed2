"""The official Node clients: the SDK, and the raw gRPC client below it."""

from __future__ import annotations

import pytest

from tests.clients.conftest import Run

PEOPLE = [["people"]]


@pytest.mark.timeout(120)
def test_the_raw_client(node: Run) -> None:
    assert node("raw.mjs") == {
        "app": [10000, "node-raw"],
        "prefix": True,
        "inputs": ["image", "text"],
        "concepts": [["person", 1]],
        "predicted": ["people"],
        "wrongKey": [11008, "Invalid API key or Invalid API key/application pair"],
        "missing": 11101,
        "deleted": 10000,
    }


@pytest.mark.timeout(120)
def test_the_sdk(node: Run) -> None:
    saw = node("sdk.mjs")
    assert saw["created"] == saw["got"] == "node-sdk"
    assert "duplicate" in saw["taken"]
    assert saw["listed"]
    assert saw["failedBoxes"] == 0
    # The SDK makes an id out of a label.
    assert saw["concepts"] == ["drink", "id-face", "id-person"]
    assert saw["byUrl"] == saw["byBytes"] == saw["byFile"] == PEOPLE
    assert "30101" in saw["noPicture"]
    assert saw["public"] == 4
    assert saw["model"] == "concept-threshold"
    assert saw["versions"] == [True]
    assert saw["workflow"] == [["recognition", "general-image-recognition"], ["sure", "node-sure"]]
    assert saw["outputs"] == [["general-image-recognition", ["people"]], ["node-sure", ["people"]]]
    assert saw["workflows"] == ["node-people"]
    assert saw["models"] == ["node-sure"]
    assert "Model does not exist" in saw["gone"]
    assert "Resource does not exist" in saw["noApp"]

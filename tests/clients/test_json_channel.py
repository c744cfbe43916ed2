"""The clarifai-grpc package's own JSON channel, which works on protobuf 6."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.conftest import Run

EXPECTED: dict[str, Any] = {
    "app": [10000, "json-channel", "tester", True],
    "apps": True,
    "patched app": "Über JSON.",
    "got app": "Über JSON.",
    "concepts": ["food", "honey", "bee"],
    "a concept": "Honey",
    "page of concepts": 1,
    "patched concept": "Honey bee",
    "found concepts": ["bee", "honey"],
    "relation": ["food", "hypernym", "honey"],
    "turned": [["honey", "hyponym", "food"]],
    "hyponyms": [["honey", "food"]],
    "deleted relation": 10000,
    "posted": [10000, [30001, 30001, 30001]],
    "job": [0, 3],
    "input": {
        "status": 30000,
        "concepts": [["cat", 0.0], ["person", 1.0]],
        "shelf": "a",
        "nested": [3.0, 3],
        "geo": [8.5, 47.25],
    },
    "text": 'Two "cups" – of\ncoffee 🐝',
    "page of inputs": 2,
    "inputs by id": ["by-url", "text"],
    "patched input": [["drink", 1.0]],
    "annotation": [10000, 24150],
    "box": [0.0, 0.25, 0.5, 1.0],
    "annotations": 2,
    "by user": 3,
    "moved": 0.125,
    "deleted annotation": 10000,
    "model": ["sure", 21100],
    "thresholds": [["ai_l8TKp2h5", 0.5]],
    "models": ["sure"],
    "types": True,
    "versions": [True],
    "outputs": [[10000, ["people"]], [10000, []]],
    "embedding": True,
    "workflow": ["see", "sure"],
    "results": ["aaa03c23b3724a16a56b629203edc62c", "sure"],
    "got workflow": "people",
    "wrong key": [11008, "Invalid API key or Invalid API key/application pair"],
    "missing": [11101, True, True],
    "taken": [40003, True],
    "far page": [10000, 0],
    "nothing to predict": 11102,
    "deleted inputs": 10000,
    "deleted input": 10000,
    "no inputs": 0,
    "deleted workflow": 10000,
    "deleted model": 10000,
    "deleted app": 10000,
    "no app": 11101,
}


@pytest.mark.timeout(120)
def test_every_kind_of_call(python: Run) -> None:
    assert python("json_channel.py") == EXPECTED

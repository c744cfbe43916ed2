"""Training by the official Python SDK, unmodified."""

from __future__ import annotations

from tests.clients.conftest import Run


def test_a_model_is_trained_by_the_sdk(python: Run) -> None:
    saw = python("sdk_training.py")
    assert {"closed_environment", "error", "head", "seed"} <= set(saw["params"])
    assert saw["error"] == "error"
    assert saw["status"] == 21100
    assert saw["concepts"] == ["animal", "thing"]
    assert saw["best"] == "animal"
    assert saw["left"] == [21102]

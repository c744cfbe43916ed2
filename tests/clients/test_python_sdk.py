"""The official Python SDK, unmodified."""

from __future__ import annotations

from tests.clients.conftest import Run

PUBLIC = [
    "aaa03c23b3724a16a56b629203edc62c",
    "bbb5f41425b8468d9b7a554ff10f8581",
    "cccbe437d6e54e2bb911c6aa292fb072",
    "face-detection",
]


def test_apps_concepts_and_relations(python: Run) -> None:
    saw = python("sdk_apps.py")
    assert saw["created"] == ["sdk-apps", "tester"]
    assert saw["listed"] == ["sdk-apps", "sdk-other"]
    assert saw["page"] == 1
    assert saw["filtered"] == ["sdk-other"]
    assert saw["patched"] == ["Photos from the harbour.", "Empty"]
    assert "duplicate" in saw["taken"]
    assert saw["user"] == "tester"
    assert saw["trainable"]

    assert saw["concepts"] == [["food", "Food"], ["honey", "Honey"], ["syrup", "Syrup"]]
    assert saw["renamed"] == ["Maple syrup"]
    assert saw["relations"] == 2
    assert saw["of honey"] == [["honey", "hyponym", "food"], ["honey", "synonym", "syrup"]]
    assert saw["hypernyms"] == [["food", "honey"]]
    assert saw["one left"] == ["synonym"]
    assert saw["none left"] == 0

    assert "CONN_DOES_NOT_EXIST" in saw["gone"]
    assert saw["at the end"] == []


def test_inputs_and_annotations(python: Run) -> None:
    saw = python("sdk_inputs.py")
    assert saw["codes"] == [[10000, 30001]] * 4
    assert saw["job"] is True
    # The text after which the SDK's own retries look.
    assert saw["taken"] == [30100, "Input has a duplicate ID."]
    assert saw["listed"] == 45
    assert saw["images"] == ["by-bytes", "by-file", "by-url"]
    assert saw["page"] == 16
    assert saw["one"] == {
        "status": 30000,
        "concepts": [["person", 1.0]],
        "metadata": {"shelf": "a", "row": 3.0},
        "geo": [8.5, 47.4],
    }
    assert saw["cup"] == ["cup-1", "cup"]
    assert saw["hosted"] == [True, True]
    assert saw["downloaded"] == [True]
    assert saw["patched"] == ["drink"]

    assert saw["failed boxes"] == saw["failed masks"] == 0
    assert saw["annotations"] == 3
    assert saw["box"] == [0.2, 0.2, 0.6, 0.7]
    assert saw["face"] == ["face"]
    assert saw["after"] == 2
    assert saw["labels stay"] == [["person"]]

    assert saw["left"] == 44
    assert saw["none left"] == 0


def test_models_and_predictions(python: Run) -> None:
    saw = python("sdk_models.py")
    assert saw["public"] == PUBLIC
    assert saw["general"] == ["general-image-recognition", "clarifai", "main", "visual-classifier"]
    assert saw["inputs"] == ["image"]
    for way in ("url", "bytes", "file"):
        assert saw[way] == [["people"], True, 10000], way
    assert saw["faces"] == [["ai_face"]]
    assert saw["three"] == 3
    assert saw["above all"] == 0
    assert "INPUT_UNSUPPORTED_FORMAT" in saw["no picture"]
    # The text by which the SDK knows that a workflow's model is to be made.
    assert "Model does not exist" in saw["unknown"]

    assert saw["versions"]
    assert saw["own"] == saw["filtered"] == ["sure"]
    assert saw["got"] == ["concept-threshold", 0.5]
    assert saw["patched"] == "Keeps the sure ones."
    assert saw["one version"] == 1
    left, refused = saw["gone"]
    assert left == []
    assert "Model does not exist" in refused


def test_workflows_from_yaml(python: Run) -> None:
    saw = python("sdk_workflows.py")
    assert saw["nodes"] == [
        ["recognition", "general-image-recognition", []],
        ["embedding", "bbb5f41425b8468d9b7a554ff10f8581", []],
        ["cluster", "general-clusterering", ["embedding"]],
    ]
    assert saw["url"] == [
        ["general-image-recognition", ["people"], False, False],
        ["bbb5f41425b8468d9b7a554ff10f8581", [], False, True],
        ["general-clusterering", [], True, False],
    ]
    assert saw["bytes"]
    assert saw["file"]
    assert saw["two"] == 2
    assert "INPUT_UNSUPPORTED_FORMAT" in saw["no picture"]

    people = ["general-image-recognition", ["people"], False, False]
    assert saw["sure"] == [people, ["sure", ["people"], False, False]]
    assert saw["made"] == ["concept-threshold", "Made by the SDK, from YAML.", 1]
    assert saw["still one version"] == 1
    assert "WORKFLOW_DUPLICATE" in saw["taken"]
    assert saw["listed"] == ["people", "sure-again", "sure-people"]

    assert saw["exported"] == [
        "aa7f35c01e0642fda5cf400f543e7c40",
        "bb186755eda04f9cbb6fe32e816be104",
        "cc2074cff6dc4c02b6f4e1b8606dcb54",
    ]
    assert "CONN_DOES_NOT_EXIST" in saw["gone"]
    assert saw["back"]
    assert saw["patched"] == ["recognition", "sure"]
    assert saw["versions"] == 2
    assert [model for model, *_ in saw["general"]] == PUBLIC[:3]
    assert saw["none left"] == 0

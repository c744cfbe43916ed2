"""Training on a real server: it goes on after a stop and after a kill, and the command does the same by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Image, Input, Model, ModelVersion

from tests.acceptance.conftest import Running, Session
from tests.unit.some_media import png

pytestmark = pytest.mark.timeout(180)

Command = Callable[..., Any]

UNTRAINED, QUEUED, TRAINING, TRAINED = 21102, 21103, 21101, 21100
COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}


@pytest.fixture
def waits(tmp_path: Path) -> Path:
    """While this file is there, no fit ends."""
    made = tmp_path / "waits"
    made.touch()
    return made


@pytest.fixture
def running(tmp_path: Path, waits: Path) -> Iterator[Running]:
    env = {"SLOW_TRAINING": str(waits), "LABELWRIGHT_PLUGINS": '["odd_operators", "slow_training"]'}
    made = Running(tmp_path / "home", env=env).start()
    yield made
    assert made.terminate() == 0
    assert "Traceback" not in made.log.read_text()
    made.close()


def labelled_app(session: Session) -> None:
    session.make_app("Universal")
    inputs = [
        Input(data=Data(image=Image(base64=png(colour, 20 + n, 16)), concepts=[Concept(id=name, value=1)]))
        for name, colour in COLOURS.items()
        for n in range(4)
    ]
    session.call("PostInputs", service_pb2.PostInputsRequest(inputs=inputs))


def post_training(session: Session) -> str:
    session.call("PostModels", service_pb2.PostModelsRequest(models=[Model(id="m")]))
    version = ModelVersion()
    version.output_info.output_config.concepts_mutually_exclusive = True
    request = service_pb2.PostModelVersionsRequest(model_id="m", model_versions=[version])
    posted = session.call("PostModelVersions", request).model.model_version
    assert posted.status.code == QUEUED
    return str(posted.id)


def status_of(session: Session, version_id: str) -> Any:
    request = service_pb2.GetModelVersionRequest(model_id="m", version_id=version_id)
    return session.call("GetModelVersion", request).model_version.status


def until(session: Session, version_id: str, holds: Callable[[Any], bool]) -> Any:
    status = None
    for _ in range(900):
        status = status_of(session, version_id)
        if holds(status):
            return status
        # Whoever polls as the API's own tests do takes any other code for a failure.
        assert status.code in (QUEUED, TRAINING, TRAINED), status
        time.sleep(0.1)
    raise AssertionError(f"still {status}")


def first_concept(session: Session, colour: str) -> str:
    one = Input(data=Data(image=Image(base64=png(COLOURS[colour]))))
    reply = session.call("PostModelOutputs", service_pb2.PostModelOutputsRequest(model_id="m", inputs=[one]))
    return str(reply.outputs[0].data.concepts[0].id)


@pytest.mark.parametrize("by", ["kill", "stop"])
def test_a_training_goes_on_after_the_server_was_ended(running: Running, waits: Path, by: str) -> None:
    session = running.client()
    labelled_app(session)
    version_id = post_training(session)
    until(session, version_id, lambda s: s.code == TRAINING and s.percent_completed > 1)
    if by == "kill":
        running.kill_everything()
    else:
        assert running.terminate() == 0
    running.start()
    session = running.client()
    assert status_of(session, version_id).code == TRAINING
    waits.unlink()
    status = until(session, version_id, lambda s: s.code == TRAINED)
    assert status.percent_completed == 100
    assert {c: first_concept(session, c) for c in COLOURS} == {c: c for c in COLOURS}


def test_a_jobs_process_that_dies_is_followed_by_one_that_trains(running: Running, waits: Path) -> None:
    session = running.client()
    labelled_app(session)
    version_id = post_training(session)
    until(session, version_id, lambda s: s.code == TRAINING and s.percent_completed > 1)
    for child in running.children():
        child.kill()
    waits.unlink()
    until(session, version_id, lambda s: s.code == TRAINED)
    assert first_concept(session, "green") == "green"


def test_the_command_trains_without_a_server_and_with_one(running: Running, waits: Path, labelwright: Command) -> None:
    waits.unlink()
    session = running.client()
    labelled_app(session)
    ran = labelwright("train", "--app", "app", "--model", "m", "--exclusive", home=running.home)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "100%" in ran.stdout
    assert "of model m on 12 inputs" in ran.stdout
    assert first_concept(session, "blue") == "blue"
    assert running.terminate() == 0
    some = ("--concepts", "red", "--concepts", "blue")
    ran = labelwright("train", "--app", "app", "--model", "m", *some, home=running.home)
    assert ran.returncode == 0, ran.stderr
    assert "green" not in ran.stdout
    ran = labelwright("train", "--app", "app", "--model", "m", "--concepts", "nobody", home=running.home)
    assert ran.returncode == 1
    assert "nothing was trained: no input is labelled with 'nobody'" in " ".join(ran.stderr.split())
    running.start()
    session = running.client()
    listed = session.call("ListModelVersions", service_pb2.ListModelVersionsRequest(model_id="m")).model_versions
    assert [v.status.code for v in listed] == [21110, TRAINED, TRAINED]
    assert [c.id for c in listed[1].output_info.data.concepts] == ["red", "blue"]

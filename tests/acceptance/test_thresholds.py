"""Tuning by the command, beside a server at work, as a user does: draw, verify, tune, label anew, take back."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Annotation, Concept, Data

from labelwright import config
from labelwright.store import draws
from labelwright.store.engine import Store
from tests.acceptance.conftest import Running, Session

pytestmark = pytest.mark.timeout(180)

MODEL = "odd"

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    started = Running(tmp_path_factory.mktemp("thresholds") / "home").start()
    yield started
    assert started.terminate() == 0
    assert "Traceback" not in started.log.read_text()
    started.close()


@pytest.fixture
def app(server: Running, request: pytest.FixtureRequest) -> Session:
    """An app with 240 texts, scored from 0.40 to 0.9975; the workflow labels from 0.9 on."""
    session = server.client(re.sub(r"\W", "", request.node.name)[-40:])
    session.make_app()
    session.odd_workflow(threshold=0.9)
    session.add_texts([f"text {i} score={0.4 + i / 400}" for i in range(240)])
    session.settle()
    return session


def in_force(session: Session) -> float:
    flow = session.call("GetWorkflow", service_pb2.GetWorkflowRequest(workflow_id="odd")).workflow
    found = set()
    for node in flow.nodes:
        if node.id in ("above", "below"):
            version = session.call(
                "GetModelVersion",
                service_pb2.GetModelVersionRequest(model_id=node.model.id, version_id=node.model.model_version.id),
            ).model_version
            found |= {c.value for c in version.output_info.data.concepts}
    (value,) = found
    return float(value)


def verify(home: Path, session: Session) -> int:
    """Answer what was drawn: what scores 0.5 or more is a thing; returns how many were answered."""
    store = Store(config.load(home=home).store_url)
    try:
        with store.write() as conn:
            waiting = [i for i in draws.drawn(conn, _key(store, session)) if i.answer is None]
            for item in waiting:
                draws.answer(conn, item.pk, draws.RIGHT if item.score >= 0.5 else draws.WRONG, by="ana")
    finally:
        store.close()
    return len(waiting)


def _key(store: Store, session: Session) -> int:
    from labelwright.store import apps, users

    with store.read() as conn:
        owner = users.first_user(conn, besides="clarifai")
        row = apps.get(conn, str(owner), session.app)
    assert row is not None
    return int(row.pk)


def draw(labelwright: Command, server: Running, session: Session, n: int) -> subprocess.CompletedProcess[str]:
    return labelwright(
        "thresholds", "draw", "--app", session.app, "--model", MODEL, "--n", str(n), "--seed", "5", home=server.home
    )


def tune(
    labelwright: Command,
    server: Running,
    session: Session,
    *more: str,
) -> subprocess.CompletedProcess[str]:
    return labelwright("thresholds", "tune", "--app", session.app, "--model", MODEL, *more, home=server.home)


def test_draw_verify_tune_and_undo(labelwright: Command, server: Running, app: Session) -> None:
    done = draw(labelwright, server, app, 100)
    assert done.returncode == 0, done.stderr
    assert "100 of 240 claims that are still to be decided, at random." in done.stdout
    listed = labelwright("thresholds", "list", "--app", app.app, home=server.home)
    assert f"of model {MODEL}: 0 of 100 answered." in listed.stdout
    assert "No tuning yet" in listed.stdout
    assert verify(server.home, app) == 100

    looked = tune(labelwright, server, app, "--error", "0.1", "--confidence", "0.9", "--dry-run")
    assert looked.returncode == 0, looked.stderr
    assert "A dry run: nothing was changed." in looked.stdout
    assert in_force(app) == pytest.approx(0.9)
    tuned = tune(labelwright, server, app, "--error", "0.1", "--confidence", "0.9")
    assert tuned.returncode == 0, tuned.stderr
    assert "all together" in tuned.stdout
    assert "Evidence: 100 verified, 0 audited." in tuned.stdout
    assert "Look 1" in tuned.stdout, "the same look again is free"
    chosen = in_force(app)
    assert 0.4 < chosen < 0.9
    assert f"{chosen:.4f}" in tuned.stdout

    # What is added from now on is labelled by them, without a restart.
    (first,) = app.add_texts([f"new score={chosen + 0.01}"])
    app.settle()
    labels = [a for a in app.annotations() if a.input_id == first]
    assert [a.status.code for a in labels] == [24150]

    found = re.search(r"labelwright thresholds undo (\w+)", tuned.stdout)
    assert found is not None
    listed = labelwright("thresholds", "list", "--app", app.app, home=server.home)
    assert re.search(rf"{found[1]}.*{MODEL}.*answers.*0\.1.*applied", listed.stdout)
    undone = labelwright("thresholds", "undo", found[1], home=server.home)
    assert undone.stdout == f"Tuning {found[1]} is undone: the thresholds are as they were before.\n"
    assert in_force(app) == pytest.approx(0.9)
    listed = labelwright("thresholds", "list", "--app", app.app, home=server.home)
    assert re.search(rf"{found[1]}.*undone", listed.stdout)
    again = labelwright("thresholds", "undo", found[1], home=server.home)
    assert (again.returncode, "has been undone already" in again.stderr) == (1, True)


def test_what_the_answers_can_not_support_is_told(labelwright: Command, server: Running, app: Session) -> None:
    early = tune(labelwright, server, app)
    assert early.returncode == 1
    assert "labelwright thresholds draw" in early.stderr
    draw(labelwright, server, app, 20)
    # A person's own label is the answer to an item that was drawn, and no evidence about any other input.
    for annotation in app.annotations()[:5]:
        word = Annotation(input_id=annotation.input_id, data=Data(concepts=[Concept(id="thing", value=1)]))
        app.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=[word]))
    verify(server.home, app)
    told = tune(labelwright, server, app, "--error", "0.1", "--per-concept")
    assert told.returncode == 0, told.stderr
    assert re.search(r"thing +.? *never", told.stdout)
    assert re.search(r"verify \d+ more", told.stdout)
    assert "Nothing was changed" in told.stdout
    assert re.search(r"Refused: \d claims? that people decided without a draw", told.stdout)
    assert in_force(app) == pytest.approx(0.9)


def test_commands_that_can_not_be_meant(labelwright: Command, server: Running, app: Session) -> None:
    for given, says in (
        (("tune", "--app", app.app, "--model", MODEL, "--error", "2"), "error is 2.0"),
        (("tune", "--app", app.app, "--model", "nobody"), "has a model 'nobody'"),
        (("draw", "--app", "nothing", "--model", MODEL), "has no app 'nothing'"),
        (("undo", "nothing"), "there is no tuning 'nothing'"),
    ):
        done = labelwright("thresholds", *given, home=server.home)
        assert done.returncode == 1
        assert says in done.stderr

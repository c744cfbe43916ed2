"""Running again and taking back, by the command and by the server, as a user does."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Annotation, Concept, Data
from clarifai_grpc.grpc.api.status import status_pb2

from labelwright import logs
from labelwright.cli import main
from tests.acceptance.conftest import Running, Session, Start

pytestmark = pytest.mark.timeout(180)

Command = Callable[..., "subprocess.CompletedProcess[str]"]

SUCCESS, PENDING = 24150, 24151


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    started = Running(tmp_path_factory.mktemp("rerun") / "home").start()
    yield started
    assert started.terminate() == 0
    assert "Traceback" not in started.log.read_text()
    started.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command within this process, where a process of its own would show nothing more: it costs a second."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(os, "umask", lambda _mask: 0)
    # Nor may it set up the logging of the tests, whose standard error is another one each time.
    monkeypatch.setattr(logs, "configure", lambda *_: None)

    def run(*args: str, home: Path) -> Any:
        full = ["labelwright", *args, "--home", str(home)]
        monkeypatch.setattr(sys, "argv", full)
        with pytest.raises(SystemExit) as ended:
            main.run()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(full, ended.value.code, said.out, said.err)  # type: ignore[arg-type]

    return run


def ran(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def undo_named(out: str) -> str:
    found = re.search(r"labelwright undo ([0-9a-f]{32})", out)
    assert found, out
    return found[1]


def facts(annotations: list[Annotation]) -> list[tuple[Any, ...]]:
    """What must be the same after an undo: ids, concepts, values, where they come from."""
    return sorted(
        (a.id, a.input_id, a.status.code, a.user_id, a.model_version_id, a.data.SerializeToString(deterministic=True))
        for a in annotations
    )


def statuses(session: Session) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for a in session.annotations():
        found.setdefault(a.input_id, []).append(a.status.code)
    return {i: tuple(sorted(codes)) for i, codes in found.items()}


def test_inputs_from_before_the_workflow_are_labelled_and_it_can_be_taken_back(
    server: Running, labelwright: Command, quick: Command
) -> None:
    session = server.client("before")
    session.make_app()
    ids = session.add_texts([f"text {i}" for i in range(20)])
    session.settle()
    session.odd_workflow()
    assert session.annotations() == []
    out = ran(labelwright("rerun", "--app", "before", home=server.home))
    assert "20/20" in out
    assert "20 inputs run over, 0 failed: 20 annotations written, 0 replaced." in out
    assert statuses(session) == dict.fromkeys(ids, (SUCCESS,))

    run = undo_named(out)
    listed = ran(quick("runs", "--app", "tester/before", home=server.home))
    assert run in listed
    assert "rerun" in listed
    assert "undone" not in listed
    narrow = ran(labelwright("runs", home=server.home, env={"COLUMNS": "60"}))
    assert run in narrow

    assert "20 annotations removed, 0 put back, 0 left" in ran(labelwright("undo", run, home=server.home))
    assert session.annotations() == []
    assert "0 annotations removed, 0 put back, 0 left" in ran(quick("undo", run, home=server.home))
    assert "undone" in ran(quick("runs", "--app", "before", home=server.home))


def test_a_rerun_replaces_what_models_wrote_and_keeps_what_people_said(
    server: Running, labelwright: Command, quick: Command
) -> None:
    session = server.client("people")
    session.make_app()
    session.odd_workflow()
    ids = session.add_texts([f"text {i}" for i in range(6)])
    session.settle()
    posted, patched, rejected, negative, *plain = ids
    of = {a.input_id: a for a in session.annotations()}

    def says(input_id: str, value: float) -> None:
        data = Data(concepts=[Concept(id="thing", value=value)])
        given = Annotation(input_id=input_id, data=data, status=status_pb2.Status(code=SUCCESS))
        session.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=[given]))

    says(posted, 1)
    says(negative, 0)
    change = Annotation(id=of[patched].id, input_id=patched, data=Data(concepts=[Concept(id="thing", value=1)]))
    session.call("PatchAnnotations", service_pb2.PatchAnnotationsRequest(action="overwrite", annotations=[change]))
    session.call(
        "DeleteAnnotation", service_pb2.DeleteAnnotationRequest(input_id=rejected, annotation_id=of[rejected].id)
    )
    before = facts(session.annotations())

    # The new version holds the same scores for too low, so that its labels wait for a person.
    session.odd_workflow(threshold=0.95, suffix="-strict")
    out = ran(labelwright("rerun", "--app", "people", home=server.home))
    assert statuses(session) == {
        posted: (SUCCESS,),
        patched: (SUCCESS,),
        negative: (SUCCESS,),
        **dict.fromkeys(plain, (PENDING,)),
    }
    assert "2 annotations written, 4 replaced" in out

    # Once more over the same: nothing is doubled.
    again = undo_named(ran(labelwright("rerun", "--app", "people", home=server.home)))
    assert Counter(map(len, statuses(session).values())) == {1: 5}
    assert "2 annotations removed, 2 put back, 0 left" in ran(quick("undo", again, home=server.home))

    # What is put back: both plain ones; what a person has filled stays as the person said it.
    done = ran(quick("undo", undo_named(out), home=server.home))
    assert "2 annotations removed, 2 put back, 2 left" in done
    gone = {of[posted].id, of[negative].id}
    assert facts(session.annotations()) == [f for f in before if f[0] not in gone]


def test_missing_takes_only_what_the_newest_version_has_not_labelled(server: Running, labelwright: Command) -> None:
    session = server.client("missing")
    session.make_app()
    session.odd_workflow()
    old = session.add_texts(["a", "b", "c"])
    session.settle()
    session.odd_workflow(threshold=0.95, suffix="-strict")
    new = session.add_texts(["d", "e"])
    session.settle()
    untouched = facts([a for a in session.annotations() if a.input_id in new])
    out = ran(labelwright("rerun", "--app", "missing", "--missing", home=server.home))
    assert "3 inputs run over, 0 failed: 3 annotations written, 3 replaced." in out
    assert statuses(session) == dict.fromkeys(old + new, (PENDING,))
    assert facts([a for a in session.annotations() if a.input_id in new]) == untouched
    out = ran(labelwright("rerun", "--app", "missing", "--missing", home=server.home))
    assert "0 inputs run over" in out


def test_the_server_reindexes_when_the_default_workflow_changes(server: Running, quick: Command) -> None:
    session = server.client("reindex")
    session.make_app()
    session.odd_workflow()
    ids = session.add_texts([f"slow {i}" for i in range(100)])
    session.settle()
    before = facts(session.annotations())
    session.odd_workflow(threshold=0.95, suffix="-strict")
    back = resources_pb2.App(id="reindex", default_workflow_id="odd")
    session.call("PatchApps", service_pb2.PatchAppsRequest(action="overwrite", apps=[back]))
    strict = resources_pb2.App(id="reindex", default_workflow_id="odd-strict")
    session.call("PatchApps", service_pb2.PatchAppsRequest(action="overwrite", apps=[strict], reindex=True))
    counts = session.counts()
    seen = [counts]
    assert counts.to_reindex + counts.reindexing + counts.reindexed == 100
    while counts.to_reindex or counts.reindexing:
        counts = session.counts()
        seen.append(counts)
    assert all(c.processed == 100 for c in seen)
    assert statuses(session) == dict.fromkeys(ids, (PENDING,))
    listed = ran(quick("runs", "--app", "reindex", "--limit", "1", home=server.home))
    found = re.search(r"\b([0-9a-f]{32})\b", listed)
    assert found
    assert "100 annotations removed, 100 put back, 0 left" in ran(quick("undo", found[1], home=server.home))
    assert facts(session.annotations()) == before


def test_undo_of_what_was_added(server: Running, quick: Command) -> None:
    session = server.client("ingest")
    session.make_app()
    session.odd_workflow()
    session.add_texts(["a", "b"])
    session.settle()
    kept = session.annotations()[0]
    change = Annotation(id=kept.id, input_id=kept.input_id, data=Data(concepts=[Concept(id="thing", value=1)]))
    session.call("PatchAnnotations", service_pb2.PatchAnnotationsRequest(action="overwrite", annotations=[change]))
    listed = ran(quick("runs", "--app", "ingest", home=server.home))
    assert "ingest" in listed
    found = re.search(r"\b([0-9a-f]{32})\b", listed)
    assert found
    for removed in (1, 0):
        done = ran(quick("undo", found[1], home=server.home))
        assert f"{removed} annotations removed, 0 put back, 1 left" in done
        assert [a.id for a in session.annotations()] == [kept.id]


def test_what_can_not_be_done_is_one_clear_line(server: Running, quick: Command) -> None:
    server.client("errors").make_app()
    for args, part in (
        (("rerun", "--app", "errors", "--dataset", "x"), "no dataset 'x'"),
        (("rerun", "--app", "nope"), "no app 'nope'"),
        (("undo", "abc"), "first 6 characters"),
        (("undo", "no-such-run"), "no run 'no-such-run'"),
    ):
        done = quick(*args, home=server.home)
        assert done.returncode == 1
        assert re.fullmatch(r"labelwright: [^\n]+\n", done.stderr), done.stderr
        assert part in done.stderr


def test_a_rerun_that_is_killed_goes_on(running: Start, labelwright: Command) -> None:
    server = running().start()
    session = server.client()
    session.make_app()
    ids = session.add_texts([f"slow {i}" for i in range(100)])
    session.settle()
    session.odd_workflow()
    assert server.terminate() == 0

    env = {"LABELWRIGHT_BATCH": "8"}
    _kill_half_way(server.home, env)
    out = ran(labelwright("rerun", "--app", "app", home=server.home, env=env))
    assert "Going on with the re-run that was under way." in out
    assert "100 inputs run over, 0 failed: 100 annotations written, 0 replaced." in out
    assert _rows(server.home, "SELECT count(*), count(DISTINCT input) FROM annotations") == [(100, 100)]
    assert _rows(server.home, "SELECT kind, inputs, wrote FROM runs") == [("rerun", 100, 100)]

    # And once more, with a server that takes it over.
    server.start()
    session = server.client()
    session.odd_workflow(threshold=0.95, suffix="-strict")
    assert server.terminate() == 0
    _kill_half_way(server.home, env)
    server.start()
    session = server.client()
    while _rows(server.home, "SELECT count(*) FROM jobs WHERE state = 'done'") != [(2,)]:
        time.sleep(0.1)
    assert statuses(session) == dict.fromkeys(ids, (PENDING,))
    assert _rows(server.home, "SELECT wrote, replaced FROM runs ORDER BY pk") == [(100, 0), (100, 100)]
    assert _rows(server.home, "SELECT count(*) FROM leases") == [(0,)]
    assert server.terminate() == 0
    assert "Traceback" not in server.log.read_text()


def _rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(home / "labelwright.db", timeout=30)) as conn:
        return conn.execute(query).fetchall()


def _kill_half_way(home: Path, env: dict[str, str]) -> None:
    plugins = {"PYTHONPATH": str(Path(__file__).parent / "plugins"), "LABELWRIGHT_PLUGINS": '["odd_operators"]'}
    command = [sys.executable, "-m", "labelwright", "rerun", "--app", "app", "--home", str(home)]
    started = subprocess.Popen(command, env={**os.environ, **plugins, **env}, stdout=subprocess.DEVNULL)
    half_way = "SELECT count(*) FROM jobs WHERE state = 'running' AND done BETWEEN 1 AND 80"
    while _rows(home, half_way) != [(1,)]:
        assert started.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    started.kill()
    started.wait()

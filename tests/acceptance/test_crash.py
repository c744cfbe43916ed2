"""What was acknowledged survives whatever dies, and every label stands once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import psutil
import pytest
from clarifai_grpc.grpc.api import service_pb2

if TYPE_CHECKING:
    from tests.acceptance.conftest import Session, Start

pytestmark = pytest.mark.timeout(300)


def _each_stands_once(session: Session, ids: list[str]) -> None:
    inputs = {i.id: i.status.code for i in session.inputs()}
    assert inputs == dict.fromkeys(ids, 30000)
    labels = Counter(a.input_id for a in session.annotations())
    assert labels == Counter(ids)


def test_everything_is_killed_with_a_thousand_inputs_in_flight(running: Start) -> None:
    server = running().start()
    session = server.client()
    session.make_app()
    session.odd_workflow()
    ids = session.add_texts([f"slow {i}" for i in range(1000)])
    while session.counts().processed < 20:
        pass
    server.kill_everything()

    server.start()
    session = server.client()
    before = session.counts()
    assert before.processed < 1000, "nothing was in flight when the server was killed: the test shows nothing"
    session.settle()
    _each_stands_once(session, ids)


def test_a_worker_is_killed(running: Start) -> None:
    server = running().start()
    session = server.client()
    session.make_app()
    session.odd_workflow()
    ids = session.add_texts([f"slow {i}" for i in range(300)])
    while session.counts().processed < 10:
        pass
    doomed = {p.pid for p in server.children()}
    for pid in doomed:
        psutil.Process(pid).kill()
    # The calls' process goes on answering meanwhile.
    ids += session.add_texts(["one more"])
    session.settle()
    _each_stands_once(session, ids)
    alive = {p.pid for p in server.children()}
    assert len(alive) == len(doomed)
    assert not alive & doomed


def test_an_input_that_kills_workers_fails_alone(running: Start) -> None:
    server = running().start()
    session = server.client()
    session.make_app()
    session.odd_workflow()
    ids = session.add_texts([f"fine {i}" for i in range(5)] + ["deadly"] + [f"fine {i}" for i in range(5, 10)])
    counts = session.settle()
    assert (counts.processed, counts.errors) == (10, 1)
    deadly = session.call("GetInput", service_pb2.GetInputRequest(input_id=ids[5])).input
    assert deadly.status.code == 30002
    assert "died 3 times" in deadly.status.details
    assert Counter(a.input_id for a in session.annotations()) == Counter(ids[:5] + ids[6:])


def test_an_input_that_a_node_fails_on_fails_alone(running: Start) -> None:
    server = running().start()
    session = server.client()
    session.make_app()
    session.odd_workflow()
    ids = session.add_texts(["fine", "broken", "fine too"])
    counts = session.settle()
    assert (counts.processed, counts.errors) == (2, 1)
    broken = session.call("GetInput", service_pb2.GetInputRequest(input_id=ids[1])).input
    assert "node 'odd'" in broken.status.details
    assert "this text is broken" in broken.status.details


def test_sigterm_gives_the_batch_back_and_counts_against_nobody(running: Start) -> None:
    server = running().start()
    session = server.client()
    session.make_app()
    session.odd_workflow()
    ids = session.add_texts([f"slow {i}" for i in range(500)])
    for _ in range(4):
        while not session.counts().processing:
            if not session.counts().to_process:
                break
        assert server.terminate() == 0
        server.start()
        session = server.client()
    session.settle()
    _each_stands_once(session, ids)


def test_two_workers_never_label_an_input_twice(running: Start) -> None:
    server = running(env={"LABELWRIGHT_WORKERS": "2", "LABELWRIGHT_BATCH": "16"}).start()
    session = server.client()
    session.make_app()
    session.odd_workflow()
    ids = session.add_texts([f"text {i}" for i in range(2000)])
    session.settle()
    _each_stands_once(session, ids)


def test_deleting_while_it_is_processed_leaves_nothing(running: Start) -> None:
    server = running().start()
    session = server.client()
    session.make_app()
    session.odd_workflow()
    ids = session.add_texts([f"slow {i}" for i in range(300)])
    while not session.counts().processing:
        pass
    gone = ids[:128]
    session.call("DeleteInputs", service_pb2.DeleteInputsRequest(ids=gone))
    session.settle()
    assert {i.id for i in session.inputs()} == set(ids[128:])
    assert {a.input_id for a in session.annotations()} == set(ids[128:])

    session.add_texts([f"slow {i}" for i in range(300)])
    while not session.counts().processing:
        pass
    session.call("DeleteApp", service_pb2.DeleteAppRequest())
    session.make_app()
    session.odd_workflow()
    again = session.add_texts(["after"])
    session.settle()
    _each_stands_once(session, again)
    assert server.terminate() == 0
    assert "Traceback" not in server.log.read_text()

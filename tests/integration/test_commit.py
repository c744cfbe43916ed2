"""Committing a batch whose inputs went away meanwhile: deleted by a client, or taken over by another worker."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2

from labelwright.annotator.commit import Made, commit_batch
from labelwright.store import apps, queue, tables
from labelwright.workflows import engine

EMPTY = engine.plan("", "", ())


@pytest.fixture
def inputs(client: Any) -> Any:
    """A client whose app has three inputs that wait."""
    given = [
        resources_pb2.Input(id=i, data=resources_pb2.Data(text=resources_pb2.Text(raw=i))) for i in ("a", "b", "c")
    ]
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=given))
    return client


def _claim(client: Any) -> queue.Claim:
    with client.server.store.write() as conn:
        app = apps.get(conn, client.user_id, "app")
        assert app is not None
        claim = queue.claim(conn, queue.this_process(), app.pk, limit=10, seconds=30)
        assert claim is not None
        return claim


def _commit(client: Any, claim: queue.Claim) -> set[str]:
    """Commit as if each input's media had been fetched; gives the ids of those that are gone."""
    made = {row.pk: Made(media=f"{claim.app}/u{row.pk}") for row in claim.inputs}
    with client.server.store.write() as conn:
        app = apps.by_pk(conn, claim.app)
        assert app is not None
        written = commit_batch(conn, app, claim, EMPTY, made)
    ids = {row.pk: row.id for row in claim.inputs}
    return {ids[pk] for pk in written.gone}


def test_an_input_that_was_deleted_is_gone(inputs: Any) -> None:
    claim = _claim(inputs)
    inputs.call("DeleteInput", service_pb2.DeleteInputRequest(input_id="b"))
    assert _commit(inputs, claim) == {"b"}
    with inputs.server.store.read() as conn:
        states = queue.states(conn, [row.pk for row in claim.inputs])
    assert set(states.values()) == {tables.DONE}
    assert len(states) == 2


def test_an_input_that_another_worker_took_over_is_not_gone_since_its_media_has_the_same_key(inputs: Any) -> None:
    late = _claim(inputs)
    with inputs.server.store.write() as conn:
        queue.take_away(conn, late.lease)
    second = _claim(inputs)
    assert second.inputs, "one of them, to be run alone"
    assert _commit(inputs, second) == set()
    inputs.call("DeleteInput", service_pb2.DeleteInputRequest(input_id="c"))
    assert _commit(inputs, late) == {"c"}

"""StreamInputs: pages that begin behind the last input of the page before."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Input, Text

Client = Any
"""The class of the fixture `client`."""


def add(client: Client, *ids: str) -> None:
    given = [Input(id=i, data=Data(text=Text(raw=i), concepts=[Concept(id="c", value=1)])) for i in ids]
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=given))


def delete(client: Client, *ids: str) -> None:
    client.call("DeleteInputs", service_pb2.DeleteInputsRequest(ids=ids))


def page(client: Client, **fields: Any) -> list[str]:
    return [i.id for i in client.call("StreamInputs", service_pb2.StreamInputsRequest(**fields)).inputs]


def walk(client: Client, **fields: Any) -> list[str]:
    """All pages, one after the other."""
    found: list[str] = []
    while more := page(client, last_id=found[-1] if found else "", **fields):
        found += more
    return found


@pytest.mark.parametrize("per_page", [0, 1, 2, 7, 1000])
@pytest.mark.parametrize("by_id", [False, True])
@pytest.mark.parametrize("descending", [False, True])
def test_pages_make_up_the_whole(client: Client, per_page: int, by_id: bool, descending: bool) -> None:
    ids = ["d", "a", "c", "e", "b"]
    add(client, *ids)
    expected = sorted(ids) if by_id else ids
    found = walk(client, per_page=per_page, order_by_id=by_id, descending=descending)
    assert found == (expected[::-1] if descending else expected)


def test_twenty_a_page_where_nothing_is_said(client: Client) -> None:
    ids = [f"i{n:02}" for n in range(45)]
    add(client, *ids)
    assert page(client) == ids[:20]
    assert page(client, last_id=ids[39]) == ids[40:]
    client.call("StreamInputs", service_pb2.StreamInputsRequest(per_page=1001), 11102)


def test_what_is_added_and_deleted_meanwhile_moves_no_page(client: Client) -> None:
    add(client, "a", "b", "c", "d")
    assert page(client, per_page=2) == ["a", "b"]
    delete(client, "a")
    add(client, "e")
    assert page(client, per_page=2, last_id="b") == ["c", "d"]
    assert page(client, per_page=2, last_id="d") == ["e"]


def test_going_on_from_an_input_that_is_gone(client: Client) -> None:
    add(client, "a", "b", "c")
    delete(client, "b")
    request = service_pb2.StreamInputsRequest(last_id="b")
    assert "order_by_id" in client.call("StreamInputs", request, 11101).status.details
    assert page(client, last_id="b", order_by_id=True) == ["c"]
    assert page(client, last_id="b", order_by_id=True, descending=True) == ["a"]


def test_streamed_inputs_look_as_others_do(client: Client) -> None:
    add(client, "a")
    (streamed,) = client.call("StreamInputs", service_pb2.StreamInputsRequest()).inputs
    found = client.call("GetInput", service_pb2.GetInputRequest(input_id="a")).input
    for item in (streamed, found):
        # It holds the time at which it ends.
        item.data.text.url = ""
    assert streamed == found
    assert streamed.data.concepts[0].id == "c"

"""The status codes, which anybody may read."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status import status_code_pb2


def test_every_code_is_listed_with_a_text(client: Any) -> None:
    reply = client.stub.ListStatusCodes(service_pb2.ListStatusCodesRequest(), timeout=60)
    assert reply.status.code == 10000
    assert {s.code for s in reply.statuses} == {v for v in status_code_pb2.StatusCode.values() if v}
    assert all(s.description for s in reply.statuses)


@pytest.mark.parametrize("asked", ["30104", "INPUT_INVALID_ARGUMENT"])
def test_a_code_is_found_by_number_and_by_name(client: Any, asked: str) -> None:
    reply = client.stub.GetStatusCode(service_pb2.GetStatusCodeRequest(status_code_id=asked), timeout=60)
    assert reply.status.code == status_code_pb2.INPUT_INVALID_ARGUMENT
    assert reply.status.description
    assert reply.status.req_id


@pytest.mark.parametrize("asked", ["", "1", "NOT_A_CODE"])
def test_an_unknown_code_does_not_exist(client: Any, asked: str) -> None:
    reply = client.stub.GetStatusCode(service_pb2.GetStatusCodeRequest(status_code_id=asked), timeout=60)
    assert reply.status.code == status_code_pb2.CONN_DOES_NOT_EXIST
    assert repr(asked) in reply.status.details

"""The HTTP status of a reply."""

from __future__ import annotations

import asyncio
import socket

import pytest
from clarifai_grpc.grpc.api.status import status_pb2

from labelwright import errors
from labelwright.protocol.listeners import open_listeners
from labelwright.protocol.rest.statuses import http_status
from labelwright.protocol.wire import error_status


@pytest.mark.parametrize(
    ("code", "http"),
    [
        (10000, 200),
        (10010, 200),
        (10070, 202),
        (10020, 400),
        (10030, 503),
        (10040, 501),
        (11005, 429),
        (11007, 403),
        (11008, 401),
        (11009, 401),
        (11100, 400),
        (11101, 404),
        (11102, 400),
        (11103, 405),
        (21200, 404),
        (40010, 409),
        (99999, 400),
    ],
)
def test_a_code_has_a_status(code: int, http: int) -> None:
    assert http_status(status_pb2.Status(code=code)) == http


@pytest.mark.parametrize("error", [errors.NoCredentials, errors.RequestTooLarge, errors.LabelwrightError])
def test_errors_that_share_a_code_are_told_apart(error: type[errors.LabelwrightError]) -> None:
    state = error_status(error("so"))
    state.http_status_code = error.http_status
    assert http_status(state) == error.http_status


def test_no_answer_waits_for_an_acknowledgement() -> None:
    """An answer goes out in two writes; without this the second one waits 40 ms for the client's system."""
    (sock,) = asyncio.run(open_listeners(("127.0.0.1", 0)))
    with sock, socket.create_connection(sock.getsockname()):
        sock.setblocking(True)
        accepted, _ = sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

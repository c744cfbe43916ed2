"""Calls whose items succeed or fail one by one: the status of the whole."""

from __future__ import annotations

from collections.abc import Sequence

from clarifai_grpc.grpc.api.status import status_pb2

from labelwright.errors import LabelwrightError
from labelwright.protocol.wire import FAILURE, MIXED, SUCCESS, error_status, status


def overall(errors: Sequence[LabelwrightError | None]) -> status_pb2.Status:
    """The status of a call from its items' errors, None for an item that went well.

    All well is success, some is mixed, none is failure; where there is one item only, its error is the call's.
    """
    failed = [e for e in errors if e is not None]
    if not failed:
        return status(SUCCESS)
    if len(errors) == 1:
        return error_status(failed[0])
    code = FAILURE if len(failed) == len(errors) else MIXED
    return status(code, f"{len(failed)} of {len(errors)} failed; each item's own status says why")

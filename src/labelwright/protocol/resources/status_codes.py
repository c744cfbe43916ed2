"""The status codes themselves, which anybody may read."""

from __future__ import annotations

from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status import status_code_pb2

from labelwright.errors import DoesNotExist
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.wire import status

_CODES = sorted(v for v in status_code_pb2.StatusCode.values() if v)


@serves("ListStatusCodes")
def list_status_codes(_call: Call, _request: service_pb2.ListStatusCodesRequest) -> service_pb2.MultiStatusCodeResponse:
    """Every code with its text."""
    return service_pb2.MultiStatusCodeResponse(statuses=[status(code) for code in _CODES])


@serves("GetStatusCode")
def get_status_code(_call: Call, request: service_pb2.GetStatusCodeRequest) -> service_pb2.SingleStatusCodeResponse:
    """One code, asked for by its number or its name."""
    wanted = request.status_code_id
    names = status_code_pb2.StatusCode.DESCRIPTOR.values_by_name
    code = names[wanted].number if wanted in names else next((c for c in _CODES if str(c) == wanted), 0)
    if not code:
        raise DoesNotExist(f"there is no status code {wanted!r}; ListStatusCodes lists them")
    # The message has no other field: the code that was asked for is the reply's own status.
    return service_pb2.SingleStatusCodeResponse(status=status(code))

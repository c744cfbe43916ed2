"""The address by which a client reached this server, which is where it finds the media."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from labelwright import config
from labelwright.config import Settings
from labelwright.protocol.listeners import format_address
from labelwright.protocol.tls import scheme

# The underscore is not legal in a host name, and yet is in what container networks call theirs.
_AUTHORITY = re.compile(
    r"(?P<host>[0-9A-Za-z](?:[0-9A-Za-z._-]{0,252}[0-9A-Za-z.])?|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
)
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (where to connect to, not where to bind)


def reached(address: str) -> tuple[str, int]:
    """The host and port to connect to for an address that is listened on."""
    host, port = config.parse_address(address)
    return _ANY.get(host, host), port


def base_url(settings: Settings, metadata: Mapping[str, str]) -> str:
    """What addresses of media begin with, such as ``http://127.0.0.1:8080``; "" where the server speaks no HTTP.

    Args:
        metadata: the call's metadata or HTTP headers, with ``:authority`` or ``host`` as the client sent it.
    """
    if settings.public_url:
        return settings.public_url.rstrip("/")
    addresses = settings.addresses
    speaks_http = addresses.listen or addresses.http
    if speaks_http is None:
        return ""
    authority = metadata.get(":authority") or metadata.get("host") or ""
    return _address(scheme(settings), speaks_http, addresses.grpc, authority[:300])


# Clients name few hosts, and every call that shows media asks.
@lru_cache(256)
def _address(scheme: str, speaks_http: str, grpc: str | None, authority: str) -> str:
    named = _AUTHORITY.fullmatch(authority)
    if named is None or int(named["port"] or 0) > 65535:
        host, port = reached(speaks_http)
        return f"{scheme}://{format_address((host, port))}" if port else ""
    if grpc is not None and grpc != speaks_http:
        direct, port = config.parse_address(grpc)[1], config.parse_address(speaks_http)[1]
        if direct and port and named["port"] == str(direct):
            # This port takes gRPC alone; the host is still the way by which the client comes.
            return f"{scheme}://{named['host']}:{port}"
    return f"{scheme}://{named[0]}"

"""Opening listening sockets, and saying plainly why one can't be opened."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat

from labelwright.errors import ConfigurationError

Address = tuple[str, int]
"""Host and port, as of ``config.parse_address``."""
BACKLOG = 2048
"""Connections that may wait to be accepted; the system may allow fewer (Linux: net.core.somaxconn)."""


def format_address(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def binding_error(address: Address, error: OSError | UnicodeError) -> ConfigurationError:
    """What to tell the person who chose ``address``, and what to do instead."""
    host, port = address
    number = getattr(error, "errno", None)
    if isinstance(error, socket.gaierror | UnicodeError):
        why = f"the host {host!r} is not known here ({error}); use one of this machine's IP addresses"
    elif number == errno.EADDRINUSE:
        why = "another process listens there; stop it, or choose another port (0 takes any free one)"
    elif number in (errno.EACCES, errno.EPERM):
        why = f"this user may not open port {port}; choose one from 1024 to 65535, or any free one with 0"
    elif number in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        why = f"this machine has no address {host}; use 127.0.0.1 for this machine alone, 0.0.0.0 for all networks"
    else:
        why = str(error)
    return ConfigurationError(f"can't listen on {format_address(address)}: {why}")


async def open_listeners(address: Address) -> list[socket.socket]:
    """Listen on every address that the host name has (``localhost`` may have two), all with one port.

    Raises:
        ConfigurationError: the address can't be opened; says which, why, and what to do.
    """
    host, port = address
    sockets: list[socket.socket] = []
    refused: OSError | None = None
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as e:
        raise binding_error(address, e) from None
    for family, where in dict.fromkeys((family, str(sockaddr[0])) for family, *_, sockaddr in found):
        try:
            sockets.append(_listen(family, where, port))
        except OSError as e:
            # A name may have an IPv6 address on a machine without IPv6: the others do.
            if e.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                refused = e
                continue
            for sock in sockets:
                sock.close()
            raise binding_error(address, e) from None
        port = sockets[0].getsockname()[1]
    if not sockets:
        raise binding_error(address, refused or OSError(errno.EADDRNOTAVAIL, "no address"))
    return sockets


def _listen(family: int, host: str, port: int) -> socket.socket:
    sock = socket.create_server(
        (host, port), family=family, backlog=BACKLOG, dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6()
    )
    # Connections inherit it. asyncio sets it only where the socket's protocol is named, which here it is not; without
    # it an answer in two writes waits 40 ms for the client's delayed acknowledgement.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    return sock


def open_unix_listener(path: str) -> socket.socket:
    """Listen on a unix socket that only this user may connect to; a dead server's socket file is replaced.

    Raises:
        ConfigurationError: the path can't be used, or a living server has it.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_dead_socket(path)
        sock.bind(path)
        os.chmod(path, 0o600)
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as e:
        sock.close()
        why = f"can't listen on the unix socket {path}: {e}; use a writable folder and a path below 100 characters"
        raise ConfigurationError(why) from None
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_dead_socket(path: str) -> None:
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, contextlib.suppress(ConnectionRefusedError):
        probe.connect(path)
        raise ConfigurationError(f"a server already listens on {path}; stop it, or choose another path")
    os.unlink(path)

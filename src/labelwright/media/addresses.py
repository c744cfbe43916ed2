"""Which network addresses a URL may lead to, and looking up a host's addresses within a deadline.

A server that fetches what strangers name must not become their way into its own network. What counts is
the address, not its spelling: the names ``localhost``, ``127.1``, ``0x7f000001`` and a public name that
resolves to ``127.0.0.1`` are all caught here, since what the resolver returns is what is judged and what is
then connected to.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from labelwright.errors import InputInvalidUrl

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
SocketAddress = tuple[socket.AddressFamily, Any]
"""A family and what ``socket.connect`` takes for it."""
GetAddrInfo = Callable[..., list[Any]]

SETTING = "LABELWRIGHT_ALLOW_PRIVATE_URLS=1"

_networks = [ipaddress.ip_network(n) for n in (
    "169.254.0.0/16",  # link-local: the metadata service of most clouds, 169.254.169.254
    "168.63.129.16/32",  # Azure's host agent: it looks public
    "100.100.100.200/32",  # Alibaba Cloud's metadata
    "192.0.0.192/32",  # Oracle Cloud's metadata
    "fd00:ec2::/32",  # AWS metadata over IPv6
    "fd20:ce::/64",  # Google Cloud metadata over IPv6
)]  # fmt: skip
METADATA = tuple(_networks)
"""Never fetched from, whatever the setting says: these hand out the machine's own credentials."""

# Python 3.11's is_global counts these as global; no web server has them.
_NOT_PUBLIC_V4 = [ipaddress.IPv4Network(n) for n in ("192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4")]
# Only 2000::/3 is handed out. In it, 2001::/23 holds Teredo and 2002::/16 is 6to4: both tunnel to an IPv4
# address that the IPv6 one hides, and nobody publishes images on them any more.
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = [ipaddress.IPv6Network(n) for n in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

_LOOKUPS = threading.BoundedSemaphore(64)
"""Lookups under way, abandoned ones included: a resolver that hangs must not gather threads without end."""


def is_public(address: IPAddress) -> bool:
    """Whether the address is globally routable unicast; an embedded IPv4 address is what is judged."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in n for n in _NOT_PUBLIC_V4)
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(_low_ipv4(address))
    return address in _UNICAST_V6 and address.is_global and not any(address in n for n in _NOT_PUBLIC_V6)


def check(host: str, addresses: list[SocketAddress], *, allow_private: bool) -> None:
    """Refuse a host if ANY of its addresses is not legal: one good and one bad address are a trick.

    Raises:
        InputInvalidUrl: names the first illegal address.
    """
    for _, sockaddr in addresses:
        try:
            address = ipaddress.ip_address(sockaddr[0])
        except ValueError:
            raise InputInvalidUrl(f"{host} has an address of an unknown kind") from None
        never = any(form in network for form in _forms(address) for network in METADATA)
        if never or address.is_multicast:
            raise InputInvalidUrl(f"{host} has the address {address}, which is never fetched from")
        if not (allow_private or is_public(address)):
            raise InputInvalidUrl(
                f"{host} has the private address {address}; {SETTING} lets the server fetch from those"
            )


def look_up(
    host: str, port: int, *, seconds: float, getaddrinfo: GetAddrInfo = socket.getaddrinfo
) -> list[SocketAddress]:
    """The host's stream addresses in the resolver's order, without doubles.

    The resolver can't be interrupted, so it runs in a thread of its own, which is left behind when it takes
    too long.

    Raises:
        TimeoutError: no answer within ``seconds``.
        OSError: the host can't be resolved.
    """
    places = _LOOKUPS
    if not places.acquire(timeout=seconds):
        raise TimeoutError("too many lookups under way")
    answer: Future[list[Any]] = Future()

    def run() -> None:
        try:
            answer.set_result(getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except BaseException as e:  # noqa: BLE001 (raised again in the caller's thread)
            answer.set_exception(e)
        finally:
            places.release()

    try:
        threading.Thread(target=run, name="labelwright-lookup", daemon=True).start()
    except RuntimeError:
        places.release()
        raise OSError("no thread for the lookup") from None
    try:
        found = answer.result(timeout=seconds)
    except UnicodeError:
        raise OSError("the resolver can't take this name") from None
    if not found:
        raise OSError("no address")
    return list(dict.fromkeys((family, sockaddr) for family, _, _, _, sockaddr in found))


def _forms(address: IPAddress) -> list[IPAddress]:
    """The address and every IPv4 address that it may stand for."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    hidden = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        hidden.append(_low_ipv4(address))
    return [address, *(h for h in hidden if h is not None)]


def _low_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)

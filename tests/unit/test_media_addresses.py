from __future__ import annotations

import ipaddress
import socket
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelwright.errors import InputInvalidUrl
from labelwright.media import addresses

PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:4700::6810:84e5", "2a00:1450::200e", "::ffff:8.8.8.8", "64:ff9b::808:808"]
PRIVATE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255",
    "192.168.1.1", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fc00::1", "fd12::1", "fe80::1",
    "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
    "64:ff9b:1::808:808", "2002:7f00:1::", "2002:808:808::1", "2001:0:808:808::1", "2001:db8::1", "3fff::1",
    "5f00::1", "100::1", "4000::1",
]  # fmt: skip
NEVER = [
    "169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254",
    "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "224.0.0.1", "ff02::1",
]  # fmt: skip


def found(*texts: str) -> list[addresses.SocketAddress]:
    return [
        (socket.AF_INET6, (t, 80, 0, 0)) if ":" in t else (socket.AF_INET, (t, 80))
        for t in texts
    ]  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_passes(text: str) -> None:
    addresses.check("h", found(text), allow_private=False)
    assert addresses.is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PRIVATE)
def test_a_private_address_needs_the_setting(text: str) -> None:
    with pytest.raises(InputInvalidUrl, match="LABELWRIGHT_ALLOW_PRIVATE_URLS=1") as caught:
        addresses.check("intranet.example", found(text), allow_private=False)
    assert str(ipaddress.ip_address(text)) in caught.value.details
    assert "intranet.example" in caught.value.details
    addresses.check("intranet.example", found(text), allow_private=True)


@pytest.mark.parametrize("text", NEVER)
@pytest.mark.parametrize("allow_private", [False, True])
def test_metadata_and_multicast_are_refused_whatever_the_setting(text: str, allow_private: bool) -> None:
    with pytest.raises(InputInvalidUrl, match="never fetched from"):
        addresses.check("h", found(text), allow_private=allow_private)


def test_one_private_address_among_public_ones_refuses_the_host() -> None:
    with pytest.raises(InputInvalidUrl, match=r"10\.0\.0\.1"):
        addresses.check("h", found("8.8.8.8", "10.0.0.1"), allow_private=False)


def test_a_scoped_or_unknown_address_is_refused() -> None:
    with pytest.raises(InputInvalidUrl, match="fe80::1"):
        addresses.check("h", found("fe80::1%1"), allow_private=False)
    with pytest.raises(InputInvalidUrl, match="unknown kind"):
        addresses.check("h", [(socket.AF_UNIX, ("/run/x",))], allow_private=True)


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_an_embedded_address_is_as_public_as_itself(address: ipaddress.IPv4Address) -> None:
    public = addresses.is_public(address)
    assert addresses.is_public(ipaddress.ip_address(f"::ffff:{address}")) == public
    assert addresses.is_public(ipaddress.ip_address(f"64:ff9b::{address}")) == public
    assert not addresses.is_public(ipaddress.IPv6Address((0x2002 << 112) | (int(address) << 80)))
    assert not (public and (address.is_private or address.is_loopback or address.is_multicast))


@pytest.mark.parametrize(
    "host", ["localhost", "127.1", "0x7f000001", "2130706433", "017700000001", "0x7f.1", "::1", "::ffff:7f00:1"]
)
def test_every_spelling_of_loopback_is_seen_for_what_it_is(host: str) -> None:
    with pytest.raises(InputInvalidUrl, match=r"private address (127\.0\.0\.1|::1|::ffff:)"):
        addresses.check(host, addresses.look_up(host, 80, seconds=20), allow_private=False)


def test_doubles_are_dropped_and_the_order_is_kept() -> None:
    rows = [(family, socket.SOCK_STREAM, 6, "", sockaddr) for family, sockaddr in found("::1", "10.0.0.1", "::1")]
    got = addresses.look_up("h", 80, seconds=20, getaddrinfo=lambda *_, **__: rows)
    assert got == found("::1", "10.0.0.1")


@pytest.mark.parametrize("problem", [socket.gaierror(-2, "unknown"), UnicodeError("label too long"), []])
def test_a_host_that_is_not_resolved_is_an_os_error(problem: Any) -> None:
    def resolver(*_: Any, **__: Any) -> list[Any]:
        if isinstance(problem, Exception):
            raise problem
        return []

    with pytest.raises(OSError):
        addresses.look_up("h", 80, seconds=20, getaddrinfo=resolver)


def test_a_hanging_resolver_is_left_behind_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_LOOKUPS", threading.BoundedSemaphore(1))
    let_go = threading.Event()
    asked = []

    def resolver(*args: Any, **_: Any) -> list[Any]:
        asked.append(args)
        let_go.wait(60)
        return []

    try:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                addresses.look_up("h", 80, seconds=0.05, getaddrinfo=resolver)
        # The second one found no free place, so it started no thread.
        assert len(asked) == 1
    finally:
        let_go.set()

"""By which address clients find the media: their own name for us, if it is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelwright import config
from labelwright.protocol.public_address import base_url


@pytest.mark.parametrize(
    ("flags", "metadata", "expected"),
    [
        ({}, {":authority": "localhost:8080"}, "http://localhost:8080"),
        ({}, {"host": "labels.example.org"}, "http://labels.example.org"),
        ({}, {":authority": "[::1]:8080"}, "http://[::1]:8080"),
        ({}, {":authority": "my_server:1"}, "http://my_server:1"),
        ({}, {}, "http://127.0.0.1:8080"),
        ({"listen": "0.0.0.0:9"}, {}, "http://127.0.0.1:9"),
        ({"listen": "[::]:9"}, {}, "http://[::1]:9"),
        ({"listen": "127.0.0.1:0"}, {}, ""),
        ({"tls_cert": "c.pem", "tls_key": "k.pem"}, {"host": "a:1"}, "https://a:1"),
        ({"public_url": "https://labels.example.org/lw/"}, {"host": "inside:1"}, "https://labels.example.org/lw"),
        # A port for gRPC alone has no media: they are on the other one.
        ({"grpc": "0.0.0.0:7", "http": "0.0.0.0:8"}, {":authority": "name:7"}, "http://name:8"),
        ({"grpc": "0.0.0.0:7", "http": "0.0.0.0:8"}, {"host": "name:8"}, "http://name:8"),
        ({"grpc": "0.0.0.0:7", "listen": "0.0.0.0:8"}, {":authority": "name:7"}, "http://name:8"),
        # Through a mapping of ports nobody knows which it was.
        ({"grpc": "0.0.0.0:7", "http": "0.0.0.0:8"}, {":authority": "name:443"}, "http://name:443"),
        ({"grpc": "0.0.0.0:7"}, {":authority": "name:7"}, ""),
        ({"grpc": "0.0.0.0:7", "public_url": "http://x"}, {":authority": "name:7"}, "http://x"),
    ],
)
def test_base_url(tmp_path: Path, flags: dict[str, str], metadata: dict[str, str], expected: str) -> None:
    assert base_url(config.load(home=tmp_path, **flags), metadata) == expected


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "a b",
            "a/b",
            "a@b",
            "user:pw@a",
            "a:x",
            "a:99999",
            "a:",
            "http://a",
            "<b>",
            "a\r\nb",
            "é",
            "[::1",
            "a?b",
        ),
        *("#", "-a", "a" * 300, "a:1:2", "%2e", "a\\b"),
    ],
)
def test_what_is_no_name_is_not_repeated(tmp_path: Path, name: str) -> None:
    assert base_url(config.load(home=tmp_path), {":authority": name}) == "http://127.0.0.1:8080"

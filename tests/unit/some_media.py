"""Media for tests: small images, and a loopback server that gives out whatever it is told."""

from __future__ import annotations

import contextlib
import io
import tempfile
import threading
import wave
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
from PIL import Image


def png(colour: tuple[int, int, int] = (200, 30, 30), width: int = 24, height: int = 16) -> bytes:
    """A PNG of one colour."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "PNG")
    return out.getvalue()


def noise(seed: int, side: int = 48) -> bytes:
    """A PNG of which no two seeds look alike."""
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


class Site:
    """What a loopback server gives out, by path; it answers 404 for all else."""

    def __init__(self, port: int, files: dict[str, bytes], asked: list[str]) -> None:
        self.files = files
        self.asked = asked
        self._port = port

    def url(self, path: str, content: bytes | None = None) -> str:
        """The URL of a path, where ``content`` lies from now on."""
        if content is not None:
            self.files[path] = content
        return f"http://127.0.0.1:{self._port}{path}"


@contextlib.contextmanager
def loopback_site() -> Iterator[Site]:
    """A server on a port of its own, gone with the block."""
    files: dict[str, bytes] = {}
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield Site(server.server_port, files, asked)
    server.shutdown()
    thread.join()
    server.server_close()


def wav(seconds: float = 0.1) -> bytes:
    """A WAV of silence, of one channel and 8 kHz."""
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(2 * int(8000 * seconds)))
    return out.getvalue()


def video(colours: Sequence[tuple[int, int, int]], rate: float = 10) -> bytes:
    """An AVI of 64 x 48 pixels with a frame of each colour (RGB), ``rate`` a second."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/film.avi"
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), rate, (64, 48))
        for red, green, blue in colours:
            writer.write(np.full((48, 64, 3), (blue, green, red), np.uint8))
        writer.release()
        return Path(path).read_bytes()

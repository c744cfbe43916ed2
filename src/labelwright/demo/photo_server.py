"""The photos at URLs, as the tutorial posts them: a small web server on the loopback address."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any

from labelwright.demo.photos import Photo
from labelwright.ids import new_token


@contextmanager
def photo_urls(photos: Sequence[Photo]) -> Iterator[list[str]]:
    """Serve photos while the context lasts; gives their URLs, in order.

    The paths can't be guessed, so that other users of the machine do not see the photos.
    """
    paths = {f"/{new_token()}/{i}{photo.path.suffix.lower()}": photo for i, photo in enumerate(photos)}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            photo = paths.get(self.path)
            try:
                file = photo.path.open("rb") if photo is not None else None
            except OSError:
                file = None
            if file is None:
                self.send_error(404)
                return
            with file:
                self.send_response(200)
                self.send_header("Content-Type", "application/octet-stream")
                self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
                self.end_headers()
                shutil.copyfileobj(file, self.wfile)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    # Not http.server's own: that one asks the resolver for the machine's name first.
    class Server(ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that hangs up half-way is the client's affair."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield [f"http://127.0.0.1:{server.server_address[1]}{path}" for path in paths]
        finally:
            server.shutdown()
            thread.join()

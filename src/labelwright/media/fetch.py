"""Fetching what a URL names, without trust in the URL, the resolver or the server behind it."""

from __future__ import annotations

import http
import http.client
import logging
import socket
import ssl
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from labelwright import __version__
from labelwright.config import Settings
from labelwright.errors import InputFailed, InputOverLimit, LabelwrightError
from labelwright.media import addresses, connections
from labelwright.media.urls import Target, follow, parse_url

if TYPE_CHECKING:
    from labelwright.media.addresses import GetAddrInfo
    from labelwright.media.connections import Deadline

_REDIRECTS = {301, 302, 303, 307, 308}
_PIECE = 2**16
_FRAMING = 2**20
"""Bytes allowed for headers and chunk sizes, beside a body sent in chunks of any size worth the name."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fetched:
    """``content_type`` is lower case, without parameters, empty if the server named none: only a claim."""

    data: bytes
    content_type: str
    final_url: str


class Fetcher:
    """Fetches over http and https; safe to share between threads.

    Every failure of a fetch is an error of ours. Names that don't resolve and servers that don't answer are
    ``InputFailed`` (30002, "Download failed; check URL"), the code that clients know a bad URL by.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        timeout: float = 20.0,
        max_bytes: int = 128 * 2**20,
        parallel: int = 16,
        max_redirects: int = 5,
        tls: ssl.SSLContext | None = None,
        getaddrinfo: GetAddrInfo = socket.getaddrinfo,
    ) -> None:
        """
        Args:
            allow_private: fetch from private and loopback addresses too; metadata services stay out of reach.
            timeout: seconds, above 0, for one whole fetch: lookup, redirects and body.
            max_bytes: of one body, decompressed.
            parallel: fetches at once in ``fetch_all``.
            tls: how certificates are checked; the system's authorities by default.
            getaddrinfo: the resolver; asked once for each hop.
        """
        self.allow_private = allow_private
        self.timeout = timeout
        self.max_bytes = max_bytes
        self.parallel = parallel
        self.max_redirects = max_redirects
        self._tls = tls or ssl.create_default_context()
        self._getaddrinfo = getaddrinfo

    @classmethod
    def from_settings(cls, settings: Settings) -> Fetcher:
        return cls(
            allow_private=settings.allow_private_urls,
            timeout=settings.fetch_timeout,
            max_bytes=settings.max_media_bytes,
            parallel=settings.fetch_parallel,
        )

    def fetch(self, url: str) -> Fetched:
        """Fetch one URL.

        Raises:
            InputInvalidUrl: the URL, or one it redirects to, is not legal or leads to a private address.
            InputOverLimit: the body is larger than ``max_bytes``.
            InputFailed: anything else that kept the body away, the deadline included.
        """
        deadline = connections.Deadline(self.timeout)
        target = parse_url(url)
        for _ in range(self.max_redirects + 1):
            outcome = self._hop(target, deadline)
            if isinstance(outcome, Fetched):
                return outcome
            target = outcome
        raise InputFailed(f"more than {self.max_redirects} redirects; the last led to {target.shown}")

    def fetch_all(self, urls: Sequence[str]) -> list[Fetched | LabelwrightError]:
        """Fetch several URLs at once; each place of the result holds its URL's bytes or its error."""
        if not urls:
            return []
        with ThreadPoolExecutor(min(self.parallel, len(urls)), "labelwright-fetch") as pool:
            return list(pool.map(self._fetch_or_error, urls))

    def _fetch_or_error(self, url: str) -> Fetched | LabelwrightError:
        try:
            return self.fetch(url)
        except LabelwrightError as e:
            return e
        except Exception:  # noqa: BLE001 (one input's trouble must not become its neighbours')
            _log.exception("a fetch failed in a way that was not foreseen")
            return InputFailed("the fetch failed in a way that was not foreseen; the server's log has more")

    def _hop(self, target: Target, deadline: Deadline) -> Fetched | Target:
        host = target.shown
        try:
            return self._exchange(target, deadline)
        except TimeoutError:
            raise InputFailed(f"{host}: no whole answer within {self.timeout:g} seconds") from None
        except socket.gaierror:
            raise InputFailed(f"{host}: the host name can't be resolved") from None
        except ssl.SSLCertVerificationError as e:
            raise InputFailed(f"{host}: the TLS certificate is not good: {e.verify_message}") from None
        except ssl.SSLError:
            raise InputFailed(f"{host}: TLS failed") from None
        except ConnectionRefusedError:
            raise InputFailed(f"{host}: the connection was refused") from None
        except http.client.IncompleteRead:
            raise InputFailed(f"{host}: the connection ended in mid-body") from None
        except OSError:
            raise InputFailed(f"{host}: the connection failed") from None
        except (http.client.HTTPException, ValueError):
            raise InputFailed(f"{host}: the answer is not legal HTTP") from None

    def _exchange(self, target: Target, deadline: Deadline) -> Fetched | Target:
        # The socket goes to the very addresses that were checked: asking the resolver again would let it
        # answer otherwise (DNS rebinding).
        found = addresses.look_up(target.host, target.port, seconds=deadline.left(), getaddrinfo=self._getaddrinfo)
        addresses.check(target.shown, found, allow_private=self.allow_private)
        sock = connections.connect(found, deadline)
        if target.scheme == "https":
            sock = connections.secure(sock, target.host, self._tls, deadline)
        with sock:
            bounded = connections.BoundedSocket(sock, deadline=deadline, max_bytes=2 * self.max_bytes + _FRAMING)
            bounded.sendall(_request(target))
            with http.client.HTTPResponse(cast(socket.socket, bounded), method="GET") as response:
                response.begin()
                return self._outcome(target, response)

    def _outcome(self, target: Target, response: http.client.HTTPResponse) -> Fetched | Target:
        location = response.headers.get("Location")
        if response.status in _REDIRECTS and location is not None:
            return follow(target, location)
        if response.status != 200:
            raise InputFailed(f"{target.shown}: the server answered {_status(response.status)}")
        data = _body(target.shown, response, self.max_bytes)
        content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return Fetched(data, content_type, target.url)


def _request(target: Target) -> bytes:
    return (
        f"GET {target.path} HTTP/1.1\r\n"
        f"Host: {target.authority}\r\n"
        f"User-Agent: labelwright/{__version__}\r\n"
        "Accept: */*\r\n"
        "Accept-Encoding: identity\r\n"
        "Connection: close\r\n\r\n"
    ).encode("ascii")


def _status(code: int) -> str:
    """The code with its standard phrase: the server's own phrase is a stranger's text."""
    try:
        return f"{code} {http.HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _body(host: str, response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    """Read the body, decompressed if it came as gzip, which some servers send unasked."""
    transfer = response.headers.get("Transfer-Encoding", "").strip().lower()
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if transfer not in ("", "identity", "chunked") or encoding not in ("", "identity", "gzip", "x-gzip"):
        raise InputFailed(f"{host}: the body is encoded in a way that was not asked for")
    over = InputOverLimit(f"{host}: the body has more than the {max_bytes} bytes that are legal")
    if response.length is not None and response.length > max_bytes:
        raise over
    gunzip = zlib.decompressobj(16 + zlib.MAX_WBITS) if "gzip" in encoding else None
    pieces: list[bytes] = []
    size = 0
    while piece := response.read(_PIECE):
        if gunzip is not None:
            try:
                piece = gunzip.decompress(piece, max_bytes - size + 1)
            except zlib.error:
                raise InputFailed(f"{host}: the body is broken gzip") from None
        size += len(piece)
        if size > max_bytes:
            raise over
        pieces.append(piece)
        if gunzip is not None and gunzip.eof:
            break
    # http.client is silent when the stream ends before Content-Length is reached.
    short = response.length if gunzip is None else not gunzip.eof
    if short:
        raise InputFailed(f"{host}: the connection ended in mid-body")
    if not size:
        raise InputFailed(f"{host}: the server sent an empty body")
    return b"".join(pieces)

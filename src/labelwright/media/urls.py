"""Reading a URL that a stranger gave: what it asks for, and whether it is legal at all."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from labelwright.errors import InputInvalidUrl

MAX_URL = 8192
"""Characters in a URL. Signed ones run to 2000; servers refuse request lines past about 8000."""

_PORTS = {"http": 80, "https": 443}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Stricter than urlsplit: its .hostname takes "[::1]evil.example" for "::1".
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:@/\\%\s]+))(?::([0-9]{0,5}))?")
_NAME = re.compile(r"[0-9a-z_-]+(?:\.[0-9a-z_-]+)*")
_PATH_SAFE = "/%:@!$&'()*+,;=~-._[]"


@dataclass(frozen=True, slots=True)
class Target:
    """Checked: ``host`` in lower-case ASCII without brackets or final dot, ``path`` with the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The ``Host`` header: the port is left out where the scheme implies it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def shown(self) -> str:
        """The host as a message names it: no path, since a signed URL is a secret."""
        return self.host if len(self.host) <= 80 else self.host[:77] + "..."


def parse_url(url: str) -> Target:
    """Check a URL and split it; what is not ASCII is percent-encoded (path) or put in IDNA form (host).

    Raises:
        InputInvalidUrl: not http or https, credentials, no host, an illegal host or port, control characters.
    """
    url = url.strip(" ")
    if len(url) > MAX_URL:
        raise InputInvalidUrl(f"the URL has {len(url)} characters; {MAX_URL} at most are legal")
    # urlsplit drops tabs and line ends without a word, and a request line must not hold them.
    if _CONTROL.search(url):
        raise InputInvalidUrl("the URL holds a control character")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InputInvalidUrl("the URL can't be read") from None
    if parts.scheme == "data":
        raise InputInvalidUrl("a data: URI is not fetched; send the bytes in the field base64")
    if parts.scheme not in _PORTS:
        found = f"{parts.scheme[:20]}: is not legal" if parts.scheme else "the URL has no scheme"
        raise InputInvalidUrl(f"{found}; a URL begins with http:// or https://")
    if "@" in parts.netloc:
        raise InputInvalidUrl("a URL with a user name or password is not legal; use a signed URL")
    if not parts.netloc:
        raise InputInvalidUrl("the URL has no host")
    matched = _AUTHORITY.fullmatch(parts.netloc)
    if not matched:
        raise InputInvalidUrl("the URL's host or port is not legal")
    literal, name, port_text = matched.groups()
    host = _ipv6(literal) if literal else _ascii_name(name)
    port = int(port_text) if port_text else _PORTS[parts.scheme]
    if not 0 < port < 65536:
        raise InputInvalidUrl(f"port {port} is not legal; 1 to 65535 are")
    try:
        path = quote(parts.path or "/", safe=_PATH_SAFE)
        query = quote(parts.query, safe=_PATH_SAFE + "?")
    except UnicodeEncodeError:
        raise InputInvalidUrl("the URL holds a character that is not legal Unicode") from None
    return Target(parts.scheme, host, port, f"{path}?{query}" if query else path)


def follow(target: Target, location: str) -> Target:
    """Where a redirect leads, checked like any URL. ``location`` is the header as ``http.client`` gives it.

    Raises:
        InputInvalidUrl: as ``parse_url``.
    """
    # Headers are read as Latin-1, but servers that send raw non-ASCII here mean UTF-8.
    text = location.encode("latin-1", "replace").decode("utf-8", "replace").strip()
    try:
        return parse_url(urljoin(target.url, text))
    except InputInvalidUrl as e:
        raise InputInvalidUrl(f"{target.shown} redirects to an illegal URL: {e.details}") from None
    except ValueError:
        raise InputInvalidUrl(f"{target.shown} redirects to a URL that can't be read") from None


def _ipv6(literal: str) -> str:
    try:
        return str(ipaddress.IPv6Address(literal))
    except ValueError:
        raise InputInvalidUrl("the URL's IPv6 address is not legal") from None


def _ascii_name(name: str) -> str:
    problem = InputInvalidUrl("the URL's host name is not legal")
    # Long names are refused first: nothing legal is longer, and IDNA's work grows with the length.
    if len(name) > 254:
        raise problem
    try:
        host = name.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        raise problem from None
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise problem
    return host

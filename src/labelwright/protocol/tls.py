"""The server's certificate: read and checked at the start, and read again when its files change."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import grpc

from labelwright.config import Settings
from labelwright.errors import ConfigurationError

RECHECK = 5.0
"""Seconds for which the certificate's files are not looked at again, however many clients come."""
PROTOCOLS = ["http/1.1", "h2"]
"""What ALPN offers, the preferred first. A gRPC client asks for h2 alone; curl and browsers ask for both, and what
they want is REST, which is not served over HTTP/2."""
IGNORE_DATES = ssl.VerifyFlags(0x200000)
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python's module has no name for."""

Stamp = tuple[tuple[int, int, int] | None, ...]

logger = logging.getLogger(__name__)


def scheme(settings: Settings) -> Literal["http", "https"]:
    """What the addresses of this server begin with."""
    return "http" if settings.tls_cert is None else "https"


def load(settings: Settings) -> Certificate | None:
    """The certificate that the settings name; None where they name none.

    Raises:
        ConfigurationError: it can't be used; says what was found and what to do.
    """
    cert, key = settings.tls_cert, settings.tls_key
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        given, missing = ("tls_key", "tls_cert") if cert is None else ("tls_cert", "tls_key")
        raise ConfigurationError(
            f"{given} is given and {missing} is not: TLS needs both, and without TLS neither is given"
        )
    return Certificate(cert.expanduser(), key.expanduser())


class Certificate:
    """A certificate with its key, as new connections should have it. Any thread may ask.

    A change of either file is seen within ``RECHECK`` seconds by the next client that connects. A pair that can't
    be used, such as a new certificate whose key is not written yet, leaves the one before in place, with a warning.

    Raises:
        ConfigurationError: the files can't be used; says what was found and what to do.
    """

    def __init__(self, cert: Path, key: Path) -> None:
        self.cert, self.key = cert, key
        self._lock = threading.Lock()
        self._pair = _read(cert, key)
        self._refused: Stamp | None = None
        self._look_again = time.monotonic() + RECHECK

    def context(self) -> ssl.SSLContext:
        """The context for a connection that comes now."""
        return self._current().context

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For a port of the gRPC server, which asks again at each handshake."""
        handed = self._pair

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal handed
            current = self._current()
            if current is handed:
                return None
            handed = current
            return current.for_grpc()

        # None means no change; only the types do not know.
        return grpc.dynamic_ssl_server_credentials(handed.for_grpc(), fetch)  # type: ignore[arg-type]

    def host(self, asked: str) -> str:
        """A host that the certificate is for: ``asked`` if it is, or else the first it names."""
        names = self._pair.names
        if any(_covers(name, asked) for name in names):
            return asked
        return next((name for name in names if not name.startswith("*")), asked)

    def roots(self) -> Path | None:
        """The file a client needs to trust it: ``cert`` if it is self-signed, None if this machine's own
        authorities vouch for it, ``ca.pem`` (a stand-in) if it is of another authority."""
        if self._pair.self_signed:
            return self.cert
        trusting = ssl.create_default_context()
        trusting.check_hostname = False
        try:
            _handshake(self._pair.context, trusting)
        except ssl.SSLError:
            return Path("ca.pem")
        return None

    def _current(self) -> _Pair:
        with self._lock:
            if time.monotonic() >= self._look_again:
                self._look_again = time.monotonic() + RECHECK
                self._renew()
            return self._pair

    def _renew(self) -> None:
        stamp = _stamp(self.cert, self.key)
        if stamp in (self._pair.stamp, self._refused):
            return
        try:
            self._pair = _read(self.cert, self.key)
        except ConfigurationError as e:
            self._refused = stamp
            logger.warning("the certificate has changed and can't be used, so the one before stays: %s", e.details)
        else:
            self._refused = None
            logger.info("new connections get the changed certificate in %s", self.cert)


@dataclass(frozen=True)
class _Pair:
    """What was in the two files when they had this stamp."""

    stamp: Stamp
    context: ssl.SSLContext
    cert_pem: bytes
    key_pem: bytes
    names: tuple[str, ...]
    self_signed: bool

    def for_grpc(self) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(self.key_pem, self.cert_pem)])


def _read(cert: Path, key: Path) -> _Pair:
    # Stamped first: what changes while it is read is then read again.
    stamp = _stamp(cert, key)
    cert_pem = _pem("tls_cert", cert, "CERTIFICATE")
    key_pem = _pem("tls_key", key, "PRIVATE KEY")
    context = _context(cert, key)
    facts = _facts(context, cert_pem.decode(errors="replace"), cert)
    names = tuple(value for kind, value in facts.get("subjectAltName", ()) if kind in ("DNS", "IP Address"))
    self_signed = bool(facts) and facts["subject"] == facts["issuer"]
    return _Pair(stamp, context, cert_pem, key_pem, names, self_signed)


def _stamp(*paths: Path) -> Stamp:
    stamps: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            found = path.stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((found.st_mtime_ns, found.st_size, found.st_ino))
    return tuple(stamps)


def _pem(setting: str, path: Path, wanted: str) -> bytes:
    """The file's bytes, if it holds something of the wanted kind in PEM."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise ConfigurationError(
            f"{setting}: {path} can't be read ({e.strerror}); name a PEM file that this user may read"
        ) from None
    found = [label.decode() for label in re.findall(rb"-----BEGIN ([A-Z0-9 ]+)-----", data)]
    if any(label.endswith(wanted) for label in found):
        return data
    held = f"holds {', '.join(dict.fromkeys(found))}" if found else "holds nothing in PEM"
    what, convert = ("certificate", "x509") if wanted == "CERTIFICATE" else ("private key", "pkey")
    raise ConfigurationError(
        f"{setting}: {path} {held}, and should hold a {what} (-----BEGIN {wanted}-----); "
        f"if it is one in DER, convert it: openssl {convert} -inform der -in FILE -out NEW.pem"
    )


def _context(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A TLS 1.2 client could otherwise have us do a handshake's work again and again on one connection.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(PROTOCOLS)
    try:
        context.load_cert_chain(cert, key, password=partial(_no_passphrase, key))
    except ssl.SSLError as e:
        if e.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
            raise ConfigurationError(
                f"tls_key: the key in {key} does not belong to the first certificate in {cert}; give the key that "
                "it was made with, and put the server's own certificate before those of its authorities"
            ) from None
        raise ConfigurationError(
            f"tls_cert and tls_key: {cert} with {key} can't be used ({e.reason or e}); "
            "look at them with: openssl x509 -in CERT -noout -text, openssl pkey -in KEY -noout"
        ) from None
    except OSError as e:
        raise ConfigurationError(f"tls_cert and tls_key: {e.strerror} while {cert} and {key} were read") from None
    return context


def _no_passphrase(key: Path) -> str:
    # In place of OpenSSL's own question, which would wait at the terminal for ever.
    raise ConfigurationError(
        f"tls_key: the key in {key} is encrypted, and a server has nobody to ask for its passphrase; "
        "store it without one, for this user alone: openssl pkey -in KEY -out NEW.pem"
    )


def _facts(context: ssl.SSLContext, cert_pem: str, path: Path) -> dict[str, Any]:
    """What a client would see of the certificate, with a warning of what clients will object to; may be empty."""
    leaf = re.search(r"-----BEGIN [A-Z0-9 ]*CERTIFICATE-----.*?-----END [A-Z0-9 ]*CERTIFICATE-----", cert_pem, re.S)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    # The certificate itself is the anchor, so whoever signed it does not matter here.
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | IGNORE_DATES
    try:
        client.load_verify_locations(cadata=leaf[0] if leaf else "")
        facts = _handshake(context, client)
    except ssl.SSLError as e:
        why = getattr(e, "verify_message", None) or e.reason or e
        logger.warning("clients may refuse the certificate in %s: %s", path, why)
        return {}
    begins, ends = (ssl.cert_time_to_seconds(facts[name]) for name in ("notBefore", "notAfter"))
    if ends < time.time():
        logger.warning("clients will refuse the certificate in %s: it ended on %s; renew it", path, facts["notAfter"])
    elif begins > time.time():
        logger.warning("clients will refuse the certificate in %s: it begins on %s", path, facts["notBefore"])
    if not facts.get("subjectAltName"):
        logger.warning("clients will refuse the certificate in %s: it names no host (subjectAltName)", path)
    return facts


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, Any]:
    """What ``client`` sees of the certificate of ``server``, in memory.

    Raises:
        ssl.SSLError: the client refuses it.
    """
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = client.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True)
    # Two turns each do for every version of TLS; TLS 1.2 may take a third.
    for _ in range(4):
        for side in sides:
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return dict(sides[0].getpeercert() or {})


def _covers(name: str, host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(name) == ipaddress.ip_address(host)
    name, host = name.lower(), host.lower()
    return name == host or (name.startswith("*.") and name[1:] == host[host.find(".") :])


Contexts = Callable[[], ssl.SSLContext]
"""Gives the context for each new connection."""

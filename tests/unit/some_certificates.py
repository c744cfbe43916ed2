"""Certificates for tests, as files."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

NAMES = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Files:
    """A certificate, its key, and what a client must trust."""

    cert: Path
    key: Path
    roots: Path

    @property
    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.roots)


def issue(
    folder: Path,
    *names: str,
    name: str = "server",
    not_before: dt.datetime | None = None,
    not_after: dt.datetime | None = None,
    ca: trustme.CA | None = None,
) -> Files:
    """A certificate of an authority of its own, chain included."""
    ca = ca or trustme.CA()
    made = ca.issue_cert(*(names or NAMES), not_before=not_before, not_after=not_after)
    files = Files(folder / f"{name}.pem", folder / f"{name}-key.pem", folder / f"{name}-ca.pem")
    files.cert.write_bytes(b"".join(pem.bytes() for pem in made.cert_chain_pems))
    files.key.write_bytes(made.private_key_pem.bytes())
    files.roots.write_bytes(ca.cert_pem.bytes())
    return files


def self_signed(folder: Path, *names: str) -> Files:
    """A certificate that is its own authority; without names it has no subjectAltName."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "labelwright")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if names:
        built = built.add_extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), critical=False)
    files = Files(folder / "own.pem", folder / "own-key.pem", folder / "own.pem")
    files.cert.write_bytes(built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def encrypt(key: Path, form: PrivateFormat = PrivateFormat.PKCS8) -> None:
    """Put a passphrase on a key's file."""
    loaded = load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(loaded.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret")))

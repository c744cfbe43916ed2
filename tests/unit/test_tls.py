"""The certificate: what is refused at the start, what is warned of, and how a renewed one comes in."""

from __future__ import annotations

import datetime as dt
import logging
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import PrivateFormat

from labelwright import config
from labelwright.errors import ConfigurationError
from labelwright.protocol import tls
from labelwright.protocol.tls import Certificate
from tests.unit.some_certificates import Files, encrypt, issue, self_signed

NOW = dt.datetime.now(dt.UTC)


def settings(tmp_path: Path, **given: Path) -> config.Settings:
    return config.load(home=tmp_path / "home", **given)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == tls.__name__]


def agreed(server: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLObject:
    """The client's side after a handshake in memory."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(back, there, server_hostname="localhost")
    theirs = server.wrap_bio(there, back, server_side=True)
    for side in (ours, theirs) * 3:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return ours


# --- settings -------------------------------------------------------------------------------------


def test_without_a_certificate_the_address_is_plain(tmp_path: Path) -> None:
    plain = settings(tmp_path)
    assert tls.load(plain) is None
    assert tls.scheme(plain) == "http"


def test_with_a_certificate_and_its_key_it_is_https(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = issue(tmp_path)
    secured = settings(tmp_path, tls_cert=files.cert, tls_key=files.key)
    assert tls.scheme(secured) == "https"
    loaded = tls.load(secured)
    assert loaded
    assert agreed(loaded.context(), files.client).getpeercert()
    assert said(caplog) == []


@pytest.mark.parametrize("given", ["tls_cert", "tls_key"])
def test_one_without_the_other_is_refused(given: str, tmp_path: Path) -> None:
    missing = {"tls_cert": "tls_key", "tls_key": "tls_cert"}[given]
    with pytest.raises(ConfigurationError, match=f"{given} is given and {missing} is not"):
        tls.load(settings(tmp_path, **{given: tmp_path / "file.pem"}))


def test_a_path_may_begin_with_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    issue(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    loaded = tls.load(settings(tmp_path, tls_cert=Path("~/server.pem"), tls_key=Path("~/server-key.pem")))
    assert loaded
    assert loaded.cert == tmp_path / "server.pem"


# --- what can't be used ---------------------------------------------------------------------------


def missing(files: Files) -> None:
    files.cert.unlink()


def missing_key(files: Files) -> None:
    files.key.unlink()


def folder(files: Files) -> None:
    files.key.unlink()
    files.key.mkdir()


def text(files: Files) -> None:
    files.cert.write_text("not a certificate")


def der(files: Files) -> None:
    files.cert.write_bytes(ssl.PEM_cert_to_DER_cert(files.roots.read_text()))


def swapped(files: Files) -> None:
    cert, key = files.cert.read_bytes(), files.key.read_bytes()
    files.cert.write_bytes(key)
    files.key.write_bytes(cert)


def key_of_another(files: Files) -> None:
    other = issue(files.cert.parent, name="other")
    files.key.write_bytes(other.key.read_bytes())


def authority_first(files: Files) -> None:
    files.cert.write_bytes(files.roots.read_bytes() + files.cert.read_bytes())


def cut(files: Files) -> None:
    files.cert.write_bytes(files.cert.read_bytes()[:300])


def cut_key(files: Files) -> None:
    files.key.write_bytes(files.key.read_bytes()[:100])


def encrypted(files: Files) -> None:
    encrypt(files.key)


def encrypted_as_of_old(files: Files) -> None:
    encrypt(files.key, PrivateFormat.TraditionalOpenSSL)


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (missing, ["tls_cert: ", "server.pem can't be read (No such file or directory)"]),
        (missing_key, ["tls_key: ", "server-key.pem can't be read (No such file"]),
        (folder, ["tls_key: ", "can't be read (Is a directory)"]),
        (text, ["tls_cert: ", "holds nothing in PEM", "openssl x509 -inform der"]),
        (der, ["tls_cert: ", "holds nothing in PEM", "openssl x509 -inform der"]),
        (swapped, ["tls_cert: ", "PRIVATE KEY, and should hold a certificate"]),
        (key_of_another, ["tls_key: ", "does not belong to the first certificate"]),
        (authority_first, ["tls_key: ", "own certificate before those of its authorities"]),
        (cut, ["tls_cert and tls_key: ", "can't be used", "openssl x509 -in"]),
        (cut_key, ["tls_cert and tls_key: ", "can't be used", "openssl pkey -in"]),
        (encrypted, ["tls_key: ", "is encrypted", "openssl pkey -in KEY -out NEW.pem"]),
        (encrypted_as_of_old, ["tls_key: ", "is encrypted"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_files_that_can_not_be_used(spoil: Callable[[Files], None], parts: list[str], tmp_path: Path) -> None:
    files = issue(tmp_path)
    spoil(files)
    with pytest.raises(ConfigurationError) as refused:
        Certificate(files.cert, files.key)
    for part in parts:
        assert part in refused.value.details
    assert "\n" not in refused.value.details


# --- what is used, with a warning -----------------------------------------------------------------


def test_an_expired_certificate_is_used_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = issue(tmp_path, not_before=NOW - dt.timedelta(days=9), not_after=NOW - dt.timedelta(days=1))
    Certificate(files.cert, files.key)
    (line,) = said(caplog)
    assert "it ended on" in line
    assert "renew it" in line


def test_a_certificate_of_tomorrow_is_used_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = issue(tmp_path, not_before=NOW + dt.timedelta(days=1), not_after=NOW + dt.timedelta(days=9))
    Certificate(files.cert, files.key)
    (line,) = said(caplog)
    assert "it begins on" in line


def test_a_certificate_for_no_host_is_used_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = self_signed(tmp_path)
    assert Certificate(files.cert, files.key).host("localhost") == "localhost"
    (line,) = said(caplog)
    assert "subjectAltName" in line


def test_a_certificate_and_its_key_may_stand_in_one_file(tmp_path: Path) -> None:
    files = issue(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(files.key.read_bytes() + files.cert.read_bytes())
    assert agreed(Certificate(both, both).context(), files.client).getpeercert()


# --- what clients get -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([], None),
        (["h2"], "h2"),
        (["http/1.1"], "http/1.1"),
        # As curl and browsers ask, who want REST.
        (["h2", "http/1.1"], "http/1.1"),
        (["grpc-exp", "h2"], "h2"),
        (["acme-tls/1"], None),
    ],
)
def test_alpn(offered: list[str], chosen: str | None, tmp_path: Path) -> None:
    files = issue(tmp_path)
    client = files.client
    if offered:
        client.set_alpn_protocols(offered)
    assert agreed(Certificate(files.cert, files.key).context(), client).selected_alpn_protocol() == chosen


def test_old_versions_of_tls_are_not_spoken(tmp_path: Path) -> None:
    files = issue(tmp_path)
    context = Certificate(files.cert, files.key).context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    client = files.client
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert agreed(context, client).version() == "TLSv1.2"


@pytest.mark.parametrize(
    ("names", "asked", "told"),
    [
        (("localhost", "127.0.0.1"), "127.0.0.1", "127.0.0.1"),
        (("localhost",), "127.0.0.1", "localhost"),
        (("::1",), "0:0:0:0:0:0:0:1", "0:0:0:0:0:0:0:1"),
        (("labels.example",), "Labels.Example", "Labels.Example"),
        (("*.example", "own.other"), "labels.example", "labels.example"),
        (("*.example", "own.other"), "a.labels.example", "own.other"),
        (("*.example",), "127.0.0.1", "127.0.0.1"),
    ],
)
def test_the_host_that_clients_should_name(names: tuple[str, ...], asked: str, told: str, tmp_path: Path) -> None:
    files = issue(tmp_path, *names)
    assert Certificate(files.cert, files.key).host(asked) == told


def test_what_clients_should_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, issued = self_signed(tmp_path, "localhost"), issue(tmp_path)
    assert Certificate(own.cert, own.key).roots() == own.cert
    assert Certificate(issued.cert, issued.key).roots() == Path("ca.pem")
    # As if its authority were one of the machine's.
    monkeypatch.setenv("SSL_CERT_FILE", str(issued.roots))
    assert Certificate(issued.cert, issued.key).roots() is None


# --- renewal --------------------------------------------------------------------------------------


def test_changed_files_are_used_by_the_next_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tls, "RECHECK", 0.0)
    caplog.set_level(logging.INFO)
    files = issue(tmp_path)
    certificate = Certificate(files.cert, files.key)
    first = certificate.context()
    assert certificate.context() is first
    renewed = issue(tmp_path, name="renewed")
    renewed.cert.replace(files.cert)
    # The key is still the old one's, as between the two steps of a renewal.
    assert certificate.context() is first
    assert certificate.context() is first
    (line,) = said(caplog)
    assert "the one before stays" in line
    renewed.key.replace(files.key)
    assert certificate.context() is not first
    assert agreed(certificate.context(), renewed.client).getpeercert()
    assert [line for line in said(caplog) if "changed certificate" in line] == said(caplog)[1:]


def test_files_that_vanish_leave_the_certificate_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tls, "RECHECK", 0.0)
    files = issue(tmp_path)
    certificate = Certificate(files.cert, files.key)
    first = certificate.context()
    files.cert.unlink()
    assert certificate.context() is first
    assert certificate.context() is first
    (line,) = said(caplog)
    assert "can't be read" in line


def test_files_are_not_looked_at_for_every_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "RECHECK", 3600.0)
    files = issue(tmp_path)
    certificate = Certificate(files.cert, files.key)
    first = certificate.context()
    renewed = issue(tmp_path, name="renewed")
    renewed.cert.replace(files.cert)
    renewed.key.replace(files.key)
    assert certificate.context() is first

"""The settings: where each may come from, who wins, and what a bad one is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelwright import config
from labelwright.cli.settings import list_settings
from labelwright.config import SETTINGS_FILE, parse_address
from labelwright.errors import ConfigurationError

DEFAULT_BATCH = config.Settings.model_fields["batch"].default


def write_toml(home: Path, text: str) -> None:
    home.mkdir(exist_ok=True)
    (home / SETTINGS_FILE).write_text(text)


def test_flags_come_before_environment_before_file_before_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert config.load(home=tmp_path).batch == DEFAULT_BATCH
    write_toml(tmp_path, "batch = 10\nlease = 11\n")
    assert config.load(home=tmp_path).batch == 10
    monkeypatch.setenv("LABELWRIGHT_BATCH", "20")
    assert config.load(home=tmp_path).batch == 20
    settings = config.load(home=tmp_path, batch=30, lease=None)
    assert (settings.batch, settings.lease) == (30, 11.0)


def test_the_file_lies_in_the_home_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_toml(tmp_path / "here", "batch = 7\n")
    monkeypatch.setenv("LABELWRIGHT_HOME", str(tmp_path / "here"))
    assert config.load().batch == 7
    assert config.load(home=tmp_path / "elsewhere").batch == DEFAULT_BATCH


def test_the_default_home_follows_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert config.default_home() == tmp_path / "labelwright"
    assert config.load().home == tmp_path / "labelwright"
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config.default_home() == tmp_path / "Library" / "Application Support" / "labelwright"


def test_a_home_is_absolute_and_knows_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert config.load(home="~/data").home == tmp_path / "data"
    assert config.load(home="data").home == tmp_path / "data"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("workers", "-1"),
        ("workers", "many"),
        ("batch", "0"),
        ("batch", "5000"),
        ("lease", "0.5"),
        ("fetch_timeout", "0"),
        ("max_message_bytes", "1"),
        ("log_level", "loud"),
        ("listen", "8080"),
        ("grpc", "localhost:http"),
        ("http", "localhost:65536"),
        ("public_url", "labels.example.org"),
        ("public_url", "https://user@labels.example.org"),
        ("public_url", "https://labels.example.org/?a=b"),
    ],
)
def test_a_bad_value_is_named_wherever_it_comes_from(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name}: "):
        config.load(home=tmp_path, **{name: value})
    write_toml(tmp_path, f'{name} = "{value}"\n')
    with pytest.raises(ConfigurationError, match=rf"^{name}: "):
        config.load(home=tmp_path)
    (tmp_path / SETTINGS_FILE).unlink()
    monkeypatch.setenv(f"LABELWRIGHT_{name.upper()}", value)
    with pytest.raises(ConfigurationError, match=rf"^{name}: "):
        config.load(home=tmp_path)


def test_every_bad_value_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config.load(home=tmp_path, batch=0, workers=-1)
    assert "batch: " in str(caught.value)
    assert "workers: " in str(caught.value)


def test_what_was_found_is_shown_but_no_secret(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config.load(home=tmp_path, workers="many", listen="nowhere", pat=["hidden"], database_url=["hidden"])
    said = str(caught.value)
    assert "workers: 'many' is not legal" in said
    assert "listen: 'nowhere' is not HOST:PORT" in said
    assert "hidden" not in said


def test_a_setting_that_there_is_not_is_named(tmp_path: Path) -> None:
    write_toml(tmp_path, "bacth = 3\n")
    with pytest.raises(ConfigurationError, match="bacth"):
        config.load(home=tmp_path)


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    write_toml(tmp_path, "batch = = 3\n")
    with pytest.raises(ConfigurationError, match=SETTINGS_FILE):
        config.load(home=tmp_path)


def test_the_token_is_not_shown(tmp_path: Path) -> None:
    settings = config.load(home=tmp_path, pat="s3cret")
    assert "s3cret" not in repr(settings)
    assert settings.pat is not None
    assert settings.pat.get_secret_value() == "s3cret"


def test_the_store_and_the_media_lie_in_the_home_unless_said(tmp_path: Path) -> None:
    settings = config.load(home=tmp_path)
    assert settings.store_url == f"sqlite:///{tmp_path / 'labelwright.db'}"
    assert settings.media_store_url == (tmp_path / "media").as_uri()
    settings = config.load(home=tmp_path, database_url="postgresql://db/x", media_url="s3://bucket")
    assert (settings.store_url, settings.media_store_url) == ("postgresql://db/x", "s3://bucket")


def test_the_shared_port_opens_unless_direct_ones_are_asked_for(tmp_path: Path) -> None:
    plain = config.load(home=tmp_path).addresses
    assert (plain.listen, plain.grpc, plain.http) == ("127.0.0.1:8080", None, None)
    direct = config.load(home=tmp_path, grpc="0.0.0.0:9000").addresses
    assert (direct.listen, direct.grpc, direct.http) == (None, "0.0.0.0:9000", None)
    both = config.load(home=tmp_path, listen="127.0.0.1:1", http="127.0.0.1:2").addresses
    assert (both.listen, both.grpc, both.http) == ("127.0.0.1:1", None, "127.0.0.1:2")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:0", ("::1", 0)),
        (":80", ("127.0.0.1", 80)),
        ("host.example:65535", ("host.example", 65535)),
    ],
)
def test_an_address_is_split(text: str, expected: tuple[str, int]) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize("text", ["", "host", "host:", "host:-1", "host:x", "host:65536"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_address(text)


def test_the_list_of_settings_hides_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("LABELWRIGHT_DATABASE_URL", "postgresql://me:pa:ss/w@db.example/labels")
    list_settings(tmp_path)
    printed = capsys.readouterr().out
    assert "postgresql://me:***@db.example/labels" in printed
    assert "pa:ss" not in printed

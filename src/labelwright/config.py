"""Every setting, once: its name, its default, its bounds and what it is for.

A setting comes from, in this order: a flag of the command, ``LABELWRIGHT_<NAME>`` in the environment,
``labelwright.toml`` in the home, the default here.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from labelwright.errors import ConfigurationError

SETTINGS_FILE = "labelwright.toml"


def default_home() -> Path:
    """Where a user's data lies when nothing else is said: the platform's own folder for application data."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "labelwright"


class Settings(BaseSettings):
    """The settings of one server, worker or command."""

    model_config = SettingsConfigDict(env_prefix="LABELWRIGHT_", extra="forbid", validate_default=True)

    home: Path = Field(
        default_factory=default_home,
        description="Folder that holds the store, the media and labelwright.toml.",
    )
    listen: str | None = Field(
        None,
        description="One address for gRPC and HTTP alike. Default 127.0.0.1:8080, unless grpc or http is given.",
    )
    grpc: str | None = Field(None, description="A direct address for gRPC alone.")
    http: str | None = Field(None, description="A direct address for HTTP alone.")
    tls_cert: Path | None = Field(
        None, description="PEM file with the certificate, and those between it and its root: every address speaks TLS."
    )
    tls_key: Path | None = Field(None, description="PEM file with the certificate's private key.")
    public_url: str | None = Field(
        None,
        description="How clients reach this server, as http://HOST:PORT: the beginning of the addresses of hosted "
        "media. Default: as the call came in.",
    )
    workers: int = Field(1, ge=0, le=256, description="Annotator processes that serve starts.")
    user_id: str = Field("owner", description="The owner's user id, used at the first start.")
    pat: SecretStr | None = Field(
        None,
        description="The owner's personal access token, used at the first start. Default: a new random one.",
    )
    database_url: str | None = Field(None, description="SQLAlchemy URL of the store. Default: SQLite in the home.")
    media_url: str | None = Field(
        None, description="fsspec URL of the media store. Default: the folder media in the home."
    )
    allow_private_urls: bool = Field(False, description="Let inputs be fetched from private and loopback addresses.")
    fetch_timeout: float = Field(
        20.0, gt=0, le=600, description="Seconds that fetching one input may take, redirects included."
    )
    fetch_parallel: int = Field(16, ge=1, le=256, description="Inputs of a batch that are fetched at the same time.")
    max_media_bytes: int = Field(128 * 2**20, ge=1024, description="Bytes that one input's media may have.")
    max_pixels: int = Field(100_000_000, ge=1, description="Pixels that one image may have.")
    max_message_bytes: int = Field(
        256 * 2**20, ge=2**20, description="Bytes that one message may have, over gRPC or REST."
    )
    rate_limit: int = Field(0, ge=0, description="Calls that one key may make a minute. 0: as many as it likes.")
    hosted_seconds: int = Field(
        86_400, ge=60, le=30 * 86_400, description="Seconds for which the signed address of an input's media is good."
    )
    batch: int = Field(1024, ge=1, le=4096, description="Inputs that a worker claims at once.")
    lease: float = Field(
        30.0, ge=1, le=3600, description="Seconds after which a silent worker's batch is given to another."
    )
    poll: float = Field(0.25, gt=0, le=60, description="Seconds between two looks of an idle worker for work.")
    predict_timeout: float = Field(60.0, gt=0, le=3600, description="Seconds that a call may wait for a prediction.")
    predict_in_flight: int = Field(
        16, ge=1, le=1024, description="Predictions that may wait or run at once; more are told to try again."
    )
    max_workflow_nodes: int = Field(20, ge=1, le=1000, description="Nodes that a workflow may have.")
    threads: int = Field(
        0, ge=0, le=1024, description="Threads of numeric libraries in each worker. 0: cores / workers."
    )
    plugins: list[str] = Field(
        default_factory=list, description="Python modules to import at start; they may register model types."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe log lines to write."
    )
    log_format: Literal["text", "json"] = Field("text", description="How log lines look, on standard error.")

    @field_validator("listen", "grpc", "http")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None:
            parse_address(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
            raise ValueError(f"{value!r} is not http://HOST:PORT or https://HOST:PORT, with a path behind it or none")
        return value

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the framework names it)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        home = init_settings().get("home") or env_settings().get("home") or default_home()
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(home) / SETTINGS_FILE)

    @property
    def addresses(self) -> Addresses:
        """The addresses to open, after the rule of the defaults."""
        listen = self.listen
        if listen is None and self.grpc is None and self.http is None:
            listen = "127.0.0.1:8080"
        return Addresses(listen=listen, grpc=self.grpc, http=self.http)

    @property
    def store_url(self) -> str:
        """The SQLAlchemy URL of the store."""
        return self.database_url or f"sqlite:///{self.home / 'labelwright.db'}"

    @property
    def media_store_url(self) -> str:
        """The fsspec URL of the media store."""
        return self.media_url or (self.home / "media").as_uri()


class Addresses:
    """Which ports a server opens: the shared one, a gRPC one, an HTTP one; None where closed."""

    def __init__(self, *, listen: str | None, grpc: str | None, http: str | None) -> None:
        self.listen, self.grpc, self.http = listen, grpc, http


def parse_address(value: str) -> tuple[str, int]:
    """Split ``HOST:PORT``; an IPv6 host stands in brackets. Port 0 asks for any free one.

    Raises:
        ValueError: the text is not an address.
    """
    host, colon, port = value.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{value!r} is not HOST:PORT, such as 127.0.0.1:8080")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)


def load(**flags: Any) -> Settings:
    """Read the settings; a flag that is None counts as not given.

    Raises:
        ConfigurationError: a setting is unknown or out of its bounds; says which, and what is legal.
    """
    try:
        return Settings(**{k: v for k, v in flags.items() if v is not None})
    except ValidationError as e:
        raise ConfigurationError("; ".join(_problem(err) for err in e.errors())) from None
    except SettingsError as e:
        raise ConfigurationError(f'{e}: a list is written as JSON there, such as \'["one", "two"]\'') from None
    except tomllib.TOMLDecodeError as e:
        raise ConfigurationError(f"{SETTINGS_FILE} is not valid TOML: {e}") from None
    except OSError as e:
        raise ConfigurationError(f"{e.filename or SETTINGS_FILE} can't be read: {e.strerror}") from None


def _problem(error: ErrorDetails) -> str:
    name = ".".join(str(part) for part in error["loc"]) or "settings"
    if error["type"] == "value_error":
        # Ours, which name the value themselves.
        return f"{name}: {error['msg'].removeprefix('Value error, ')}"
    if error["type"] == "extra_forbidden":
        return f"{name}: there is no such setting; labelwright settings lists them"
    if name in ("pat", "database_url", "media_url"):
        # They may hold a password or a token, which is not repeated.
        return f"{name}: {error['msg']}"
    return f"{name}: {error['input']!r} is not legal: {error['msg']}"

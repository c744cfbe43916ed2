"""Listing the settings."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from labelwright import config


def list_settings(home: Path | None) -> None:
    """Print every setting with its value and what it is for."""
    loaded = config.load(home=home)
    table = Table("setting", "environment", "value", "what it is for")
    for name, field in config.Settings.model_fields.items():
        value = getattr(loaded, name)
        table.add_row(name, f"LABELWRIGHT_{name.upper()}", "" if value is None else str(value), field.description)
    Console().print(table)
    Console().print(f"File: {loaded.home / config.SETTINGS_FILE}", soft_wrap=True)

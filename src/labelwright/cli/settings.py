"""Listing the settings: for a person at the terminal, and as the page of the documents."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Table

from labelwright import config
from labelwright.cli.opened import show

_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]*@")
"""The password in a URL: what is printed may end in a log."""


def list_settings(home: Path | None) -> None:
    """Print every setting with its value and what it is for."""
    loaded = config.load(home=home)
    table = Table("setting", "environment", "value", "what it is for")
    for name, field in config.Settings.model_fields.items():
        value = getattr(loaded, name)
        shown = "" if value is None else _PASSWORD.sub(r"\1***@", str(value))
        table.add_row(name, environment(name), shown, field.description)
    show(table)
    Console().print(f"File: {loaded.home / config.SETTINGS_FILE}", soft_wrap=True)


def environment(name: str) -> str:
    """The variable that a setting is read from."""
    return f"LABELWRIGHT_{name.upper()}"


def markdown() -> str:
    """Every setting with its default, its bounds and what it is for, as the page docs/settings.md."""
    rows = [
        f"| `{name}` | `{environment(name)}` | {_default(name, field)} | {_legal(field)} | {field.description} |"
        for name, field in config.Settings.model_fields.items()
    ]
    return "\n".join((_INTRODUCTION, *rows, ""))


def _default(name: str, field: FieldInfo) -> str:
    if name == "home":
        return "your data folder"
    value = field.get_default(call_default_factory=True)
    return "" if value is None or value == [] else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _legal(field: FieldInfo) -> str:
    bounds = {name: getattr(m, name) for m in field.metadata for name in ("ge", "gt", "le") if hasattr(m, name)}
    most = bounds.get("le")
    if "gt" in bounds:
        return f"above {bounds['gt']}" + (f", up to {most}" if most is not None else "")
    if "ge" in bounds:
        return f"{bounds['ge']} to {most}" if most is not None else f"from {bounds['ge']}"
    choices = [value for value in get_args(field.annotation) if isinstance(value, str)]
    return ", ".join(f"`{choice}`" for choice in choices)


_INTRODUCTION = f"""\
# Settings

A setting comes from, in this order: a flag of the command, its variable in the environment, the file
`{config.SETTINGS_FILE}` in the home, the default. A name that is not in this list is refused, in the file and as a
flag. `labelwright settings` prints the values that hold where you are.

Your data folder is `~/.local/share/labelwright`, or what `XDG_DATA_HOME` says, and
`~/Library/Application Support/labelwright` on macOS. A list is JSON in the environment
(`LABELWRIGHT_PLUGINS='["my_operators"]'`) and a list in the file (`plugins = ["my_operators"]`).

| setting | environment | default | legal | what it is for |
| --- | --- | --- | --- | --- |"""

"""The reference pages of the documents, written from the code: settings, commands, RPCs.

``python -m labelwright.cli.reference docs`` writes them into the folder ``docs``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from inspect import cleandoc
from pathlib import Path
from typing import Any

from typer.main import get_command

from labelwright.cli import settings
from labelwright.cli.main import app
from labelwright.protocol.dispatch import served
from labelwright.protocol.methods import methods


def commands() -> str:
    """Every command with its help and its flags, as the page docs/commands.md."""
    group: Any = get_command(app)
    parts = [
        "# Commands",
        "`labelwright COMMAND --help` says the same. Where a flag is not given, its [setting](settings.md) counts.",
    ]
    for name, command in _leaves("", group):
        usage = " ".join(["labelwright", name, *(p.metavar or p.name.upper() for p in _arguments(command))])
        parts += [f"## {name}", f"`{usage}`", cleandoc(command.help), "\n".join(_flags(command.params))]
    return "\n\n".join(parts) + "\n"


def _leaves(prefix: str, group: Any) -> Iterable[tuple[str, Any]]:
    """Every command below a group, with its whole name: ``keys create``."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _leaves(f"{prefix}{name} ", command)
        else:
            yield f"{prefix}{name}", command


def _arguments(command: Any) -> list[Any]:
    return [p for p in command.params if p.param_type_name == "argument"]


def _flags(params: Iterable[Any]) -> Iterable[str]:
    for param in params:
        shown = param.metavar if param.param_type_name == "argument" else ", ".join(param.opts)
        if param.required:
            default = "needed"
        elif isinstance(param.show_default, str):
            default = f"default: {param.show_default}"
        else:
            default = "" if param.default in (None, False) else f"default: {param.default}"
        yield f"- `{shown}`: {param.help}" + (f" ({default})" if default else "")


def rpcs() -> str:
    """Every RPC of the service, and whether it is served, as the page docs/rpcs.md."""
    here = served()
    rows = [f"| {name} | {'served' if name in here else 'not served'} |" for name in sorted(methods())]
    return "\n".join(
        (
            "# RPCs",
            "",
            f"Of the {len(rows)} RPCs of `clarifai.api.V2`, {len(here)} are served. A call of another one is answered",
            "with status `NOT_IMPLEMENTED` (10040).",
            "",
            "| RPC | |",
            "| --- | --- |",
            *rows,
            "",
        )
    )


def pages() -> dict[str, str]:
    """File name to content of each page."""
    return {"settings.md": settings.markdown(), "commands.md": commands(), "rpcs.md": rpcs()}


if __name__ == "__main__":
    for page, content in pages().items():
        Path(sys.argv[1], page).write_text(content, encoding="utf-8")

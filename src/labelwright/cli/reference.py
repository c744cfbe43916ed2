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
from labelwright.protocol.families import family, in_order, main_bindings
from labelwright.protocol.methods import methods
from labelwright.protocol.openapi import path


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
    """Every RPC of the service, whether it is served, and how it is called, as the page docs/api.md."""
    here = served()
    families: dict[str, list[str]] = {}
    for name in methods():
        families.setdefault(family(name), []).append(name)
    parts = [
        "# The API",
        f"Of the {len(methods())} RPCs of `clarifai.api.V2`, {len(here)} are served: the same call over gRPC and over "
        "[REST](rest.md). A call\nof another one is answered with status `NOT_IMPLEMENTED` (10040). A running server "
        "shows what it serves at `/docs`, with all\npaths and fields, and describes it to programs at `/openapi.json`.",
        "The third column has the HTTP path that an RPC declares first; `…` is `/v2/users/{user_id}/apps/{app_id}`. "
        "The last one says\nwho may call: *key* is a personal access token or a key of one app, *token* a personal "
        "access token alone, and behind it stand\nthe scopes that it needs ([more](keys-and-people.md)).",
    ]
    for title in in_order(families):
        names = sorted(families[title])
        parts.append(f"## {title.capitalize()}\n\n{sum(n in here for n in names)} of {len(names)} are served.")
        rows = (f"| {n} | {'served' if n in here else 'not served'} | {_http(n)} | {_needs(n)} |" for n in names)
        parts.append("\n".join(("| RPC | | HTTP | key |", "| --- | --- | --- | --- |", *rows)))
    return "\n\n".join(parts) + "\n"


def _http(name: str) -> str:
    binding = main_bindings().get(name)
    if binding is None:
        return "gRPC alone"
    shown = f"`{binding.verb} {path(binding).replace('/v2/users/{user_id}/apps/{app_id}/', '…/')}`"
    return f"{shown}, which means {binding.hidden_by}" if binding.hidden_by else shown


def _needs(name: str) -> str:
    method = methods()[name]
    if not method.needs_key:
        return "none"
    kind = "token" if method.personal else "key"
    return f"{kind}: {', '.join(sorted(method.scopes))}" if method.scopes else kind


def pages() -> dict[str, str]:
    """File name to content of each page."""
    return {"settings.md": settings.markdown(), "commands.md": commands(), "api.md": rpcs()}


if __name__ == "__main__":
    for page, content in pages().items():
        Path(sys.argv[1], page).write_text(content, encoding="utf-8")

"""The commands about users: adding and listing them, on the machine of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

group = typer.Typer(
    no_args_is_help=True,
    help=(
        "Add and list users.\n\n"
        "Every user has apps and keys of their own, and sees nothing of the others' unless an app's owner makes them "
        "a collaborator of it. A running server knows a new user at once."
    ),
)

Home = Annotated[Path | None, typer.Option("--home", help="Folder of the store.", show_default="your data folder")]


@group.command()
def add(
    user_id: Annotated[str, typer.Argument(metavar="USER", help="The new user's id, for good.")],
    first_name: Annotated[str, typer.Option("--first-name", help="Shown to people who share an app with them.")] = "",
    last_name: Annotated[str, typer.Option("--last-name", help="As the first name.")] = "",
    home: Home = None,
) -> None:
    """Add a user. They can do nothing yet: make them a key.

    Example:

      labelwright users add ana --first-name Ana

      labelwright keys create --user ana
    """
    from clarifai_grpc.grpc.api import resources_pb2

    from labelwright.cli.opened import opened
    from labelwright.errors import InvalidRequest
    from labelwright.ids import free_id_problem, resource_id_problem
    from labelwright.models.catalogue import PUBLIC_USER
    from labelwright.store import users

    if problem := resource_id_problem(user_id):
        raise InvalidRequest(f"user id: {problem}")
    if user_id in (PUBLIC_USER, "me"):
        raise InvalidRequest(f"user id {user_id!r} has a meaning of its own in the API; choose another")
    for name in (first_name, last_name):
        if name and (problem := free_id_problem(name)):
            raise InvalidRequest(f"name: {problem}")
    said = resources_pb2.User(first_name=first_name, last_name=last_name)
    with opened(home) as (_settings, store), store.write() as conn:
        if not users.add(conn, user_id, said.SerializeToString()):
            raise InvalidRequest(f"duplicate user id: there is a user {user_id!r} already")
    typer.echo(f"Added user {user_id}. Make them a key with  labelwright keys create --user {user_id}")


@group.command("list")
def list_(home: Home = None) -> None:
    """List the users, first come first, with how many apps and keys each has."""
    from datetime import UTC, datetime

    from clarifai_grpc.grpc.api import resources_pb2
    from rich.markup import escape
    from rich.table import Table

    from labelwright.cli.opened import opened, show
    from labelwright.models.catalogue import PUBLIC_USER
    from labelwright.protocol.wire import parse
    from labelwright.store import users

    with opened(home) as (_settings, store), store.read() as conn:
        rows = [row for row in users.everybody(conn) if row.id != PUBLIC_USER]
    table = Table("user", "name", "apps", "keys", "since")
    table.columns[0].no_wrap = True
    for row in rows:
        said = parse(resources_pb2.User, row.wire)
        since = datetime.fromtimestamp(row.created_at / 1e6, UTC).strftime("%Y-%m-%d")
        table.add_row(
            row.id, escape(f"{said.first_name} {said.last_name}".strip()), str(row.apps), str(row.keys), since
        )
    show(table)

"""The commands about keys: making, listing, changing and deleting them, on the machine of the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

group = typer.Typer(
    no_args_is_help=True,
    help=(
        "Make, list, change and delete keys.\n\n"
        "These commands work on the store itself, beside a running server, which sees a change within a second. "
        "Whoever can read the store needs no key for them: they are the way back for an owner who has lost all keys."
    ),
)

Home = Annotated[Path | None, typer.Option("--home", help="Folder of the store.", show_default="your data folder")]
User = Annotated[str | None, typer.Option("--user", help="Whose key.", show_default="the owner")]
Scopes = Annotated[
    list[str] | None,
    typer.Option("--scope", help="What it may do, such as Inputs_Get; give it several times for more."),
]
Endpoints = Annotated[
    list[str] | None, typer.Option("--endpoint", help="A single RPC that it may call besides, such as GetInput.")
]
Expires = Annotated[
    str | None,
    typer.Option("--expires", metavar="WHEN", help="30d, 12h, 45m, a date such as 2030-01-31, never, or now."),
]
Description = Annotated[str | None, typer.Option("--description", help="What it is for.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="The key's id as `keys list` shows it, or the key itself.")]


@group.command()
def create(
    user: User = None,
    app: Annotated[
        str | None,
        typer.Option("--app", help="The one app it works in, as ID or USER/ID.", show_default="all of the user's"),
    ] = None,
    scope: Scopes = None,
    endpoint: Endpoints = None,
    expires: Expires = None,
    description: Description = None,
    home: Home = None,
) -> None:
    """Make a key and print it, this once: only its hash is stored.

    Without scopes and endpoints it may do everything. Scopes bring along those that they need. Most calls need
    several scopes: docs/api.md lists them, and so does the refusal. To allow a few calls, name these by --endpoint.

    Examples:

      labelwright keys create --description "my laptop"

      labelwright keys create --app photos --endpoint PostInputs --endpoint GetInput --expires 30d

      labelwright keys create --user ana
    """
    from labelwright.cli.opened import find_app, opened
    from labelwright.errors import DoesNotExist
    from labelwright.ids import new_token
    from labelwright.protocol import grants, scopes
    from labelwright.protocol.resources.keys import check_description
    from labelwright.store import collaborators, users

    rights = grants.asked(scope or ([] if endpoint else [scopes.ALL]), endpoint or [])
    ends = _when(expires)
    grants.check_future(ends)
    check_description(description or "")
    token = new_token()
    with opened(home) as (_settings, store), store.write() as conn:
        owner = _user(conn, user)
        bound = None
        if app is not None:
            bound = find_app(conn, app if "/" in app else f"{owner}/{app}")
        if bound is not None:
            grants.check_for_app(rights)
            if bound.user_id != owner and collaborators.of(conn, bound.pk, owner) is None:
                raise DoesNotExist(
                    f"user {owner!r} is no collaborator of app {app!r}, so that a key there would open nothing"
                )
        public_id = users.add_key(
            conn,
            user_id=owner,
            token=token,
            description=description or "",
            scopes=scopes.in_order(rights.scopes),
            endpoints=sorted(rights.endpoints),
            app=bound.pk if bound is not None else None,
            expires_at=ends,
        )
    where = f"app {bound.user_id}/{bound.id}" if bound is not None else "all apps"
    allowed = ", ".join([*scopes.in_order(rights.scopes), *sorted(rights.endpoints)])
    typer.echo(f"key      {token}")
    typer.echo(f"id       {public_id}")
    typer.echo(f"user     {owner}, {where}")
    typer.echo(f"may      {allowed}")
    typer.echo(f"expires  {_date(ends)}")
    typer.echo("The key is shown this once; only its hash is stored.")


@group.command("list")
def list_(
    user: Annotated[str | None, typer.Option("--user", help="Only this user's.", show_default="everybody's")] = None,
    app: Annotated[str | None, typer.Option("--app", help="Only those of this app, as ID or USER/ID.")] = None,
    not_expired: Annotated[bool, typer.Option("--not-expired", help="Leave out those that have expired.")] = False,
    home: Home = None,
) -> None:
    """List keys: id, user, app, what they may do, when they expire. The keys themselves are stored nowhere."""
    from rich.console import Console
    from rich.table import Table

    from labelwright.cli.opened import find_app, opened, show
    from labelwright.protocol import scopes
    from labelwright.store import users
    from labelwright.store.engine import now

    at = now()
    with opened(home) as (_settings, store), store.read() as conn:
        bound = find_app(conn, app).pk if app is not None else None
        owner = _user(conn, user) if user is not None else None
        rows = users.keys_of(conn, owner, app=bound, live_at=at if not_expired else None)
    if not rows:
        Console().print("No such key. One is made with  labelwright keys create")
        return
    table = Table("id", "user", "app", "may", "expires", "made", "description")
    # What one copies must stand on one line, however narrow the terminal is.
    table.columns[0].no_wrap = True
    for row in rows:
        allowed = [*scopes.in_order(row.scopes), *sorted(row.endpoints or ())]
        expired = row.expires_at is not None and row.expires_at <= at
        table.add_row(
            row.id,
            row.user_id,
            f"{row.app_user_id}/{row.app_id}" if row.app is not None else "all",
            ", ".join(allowed),
            _date(row.expires_at) + (" (expired)" if expired else ""),
            _date(row.created_at),
            _plain(row.description),
        )
    show(table)


@group.command()
def patch(
    key: Key,
    scope: Scopes = None,
    endpoint: Endpoints = None,
    expires: Expires = None,
    description: Description = None,
    home: Home = None,
) -> None:
    """Change a key: what is given replaces what is there, scopes and endpoints as whole lists.

    `--expires now` ends it and keeps it in the list.

    Examples:

      labelwright keys patch 0191… --scope Inputs_Get --scope Annotations_Get

      labelwright keys patch 0191… --expires now
    """
    from labelwright.cli.opened import opened
    from labelwright.errors import InvalidRequest
    from labelwright.protocol import grants, scopes
    from labelwright.protocol.resources.keys import check_description
    from labelwright.store import users

    values: dict[str, Any] = {}
    if description is not None:
        check_description(description)
        values["description"] = description
    if expires is not None:
        values["expires_at"] = _when(expires)
    if not values and not scope and not endpoint:
        raise InvalidRequest("nothing to change: give --scope, --endpoint, --expires or --description")
    with opened(home) as (_settings, store), store.write() as conn:
        row = _named(conn, key)
        if scope or endpoint:
            rights = grants.asked(scope or row.scopes, endpoint or row.endpoints or ())
            if row.app is not None:
                grants.check_for_app(rights)
            values |= {"scopes": scopes.in_order(rights.scopes), "endpoints": sorted(rights.endpoints) or None}
        users.change_key(conn, row.id, **values)
    typer.echo(f"Changed key {row.id} of {row.user_id}. A running server sees it within a second.")


@group.command()
def delete(key: Key, home: Home = None) -> None:
    """Delete a key for good.

    An owner's last key may go too: `labelwright keys create` makes another, and a server that starts and finds that
    its owner has none makes one and prints it.
    """
    from labelwright.cli.opened import opened
    from labelwright.store import users

    with opened(home) as (_settings, store), store.write() as conn:
        row = _named(conn, key)
        users.delete_key(conn, row.id)
    typer.echo(f"Deleted key {row.id} of {row.user_id}. A running server sees it within a second.")


def _user(conn: Connection, name: str | None) -> str:
    """The user who is named; without a name, the owner of the store."""
    from labelwright.errors import DoesNotExist
    from labelwright.models.catalogue import PUBLIC_USER
    from labelwright.store import users

    user_id = name if name is not None else users.first_user(conn, besides=PUBLIC_USER)
    if user_id is None or user_id == PUBLIC_USER or users.get(conn, user_id) is None:
        raise DoesNotExist(
            f"there is no user {user_id or ''!r}: labelwright users list shows them, labelwright users add makes one"
        )
    return user_id


def _named(conn: Connection, key: str) -> Row[Any]:
    from labelwright.errors import DoesNotExist
    from labelwright.store import users

    row = users.key_named(conn, None, key)
    if row is None:
        raise DoesNotExist("there is no such key; labelwright keys list shows their ids")
    return row


def _when(text: str | None) -> int | None:
    """When a key ends, in microseconds since 1970; None for never."""
    import re
    from datetime import UTC, datetime, timedelta

    from labelwright.errors import InvalidRequest
    from labelwright.store.engine import now

    if text is None or text == "never":
        return None
    if text == "now":
        return now()
    units = {"d": "days", "h": "hours", "m": "minutes"}
    if found := re.fullmatch(r"(\d{1,6})([dhm])", text):
        length = timedelta(**{units[found[2]]: int(found[1])})
        return now() + length // timedelta(microseconds=1)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(
            f"--expires {text!r} is no time: 30d, 12h and 45m are legal, a date such as 2030-01-31, never and now"
        ) from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _date(at: int | None) -> str:
    from datetime import UTC, datetime

    return "never" if at is None else datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)

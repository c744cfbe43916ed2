"""The commands about audits: drawing auto-labels for people to look at, and what they found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

group = typer.Typer(
    no_args_is_help=True,
    help=(
        "Watch the auto-labels: draw some at random, have people look at them, read the share of mistakes.\n\n"
        "People answer in the browser, on the page Audit of the app, without seeing what the model said. Labels stay "
        "labels while they wait."
    ),
)

Home = Annotated[Path | None, typer.Option("--home", help="Folder of the store.", show_default="your data folder")]
App = Annotated[str, typer.Option("--app", help="The app, as ID or USER/ID.")]


@group.command()
def draw(
    app: App,
    rate: Annotated[float, typer.Option("--rate", help="The share of the auto-labels, above 0 and at most 1.")] = 0.02,
    n: Annotated[int | None, typer.Option("--n", help="So many instead of a share.", show_default="by --rate")] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Only labels of this model, or model version.", show_default="all")
    ] = None,
    home: Home = None,
) -> None:
    """Put a random sample of the auto-labels that no audit has drawn yet into the audit queue.

    Each concept of each automatic label is a unit, and all are equally likely, whatever their scores.

    Example:

      labelwright audit draw --app photos --rate 0.02
    """
    from labelwright.cli.opened import find_app, opened
    from labelwright.protocol.audits import draw_audit

    with opened(home) as (_settings, store):
        with store.read() as conn:
            row = find_app(conn, app)
        made = draw_audit(store, row, rate=rate, n=n, model=model, user_id=row.user_id)
    if not made.drawn:
        typer.echo("Nothing to draw: there is no auto-label that no audit has drawn yet.")
        return
    typer.echo(
        f"Audit {made.id}: {made.drawn} of {made.of} auto-labels, drawn at random.\n"
        f"They wait in the browser, at /apps/{row.user_id}/{row.id}/audit"
    )


@group.command()
def status(
    app: App,
    json: Annotated[bool, typer.Option("--json", help="Print it for programs.")] = False,
    home: Home = None,
) -> None:
    """Show the share of mistakes that audits found, by concept and model version, and which promises are broken.

    Where thresholds were tuned to a target, that is the promise; labels below the threshold of now are left out.
    """
    from json import dumps

    from labelwright.cli.opened import find_app, opened
    from labelwright.protocol.audits import standing
    from labelwright.store import draws

    with opened(home) as (_settings, store), store.read() as conn:
        row = find_app(conn, app)
        found = {"waiting": draws.count_waiting(conn, row.pk, draws.AUDIT), **standing(conn, row.pk)}
    if json:
        typer.echo(dumps(found, indent=2, ensure_ascii=False))
    elif not found["estimates"]:
        typer.echo("No audit has been drawn in this app: labelwright audit draw makes one.")
    else:
        _show_estimates(found)


@group.command(name="list")
def list_audits(app: App, home: Home = None) -> None:
    """List the audits of an app, newest first: when, how many were drawn, and how many have an answer."""
    from rich.table import Table

    from labelwright.cli.opened import find_app, opened, show
    from labelwright.protocol.audits import listing

    with opened(home) as (_settings, store), store.read() as conn:
        row = find_app(conn, app)
        made = listing(conn, row.pk)
    if not made:
        typer.echo("No audit has been drawn in this app: labelwright audit draw makes one.")
        return
    table = Table("audit", "drawn at", "by", "drawn", "of", "answered")
    table.columns[0].no_wrap = True
    for one in made:
        at = one["created_at"][:19].replace("T", " ")
        table.add_row(one["id"], at, one["user_id"], str(one["drawn"]), str(one["of"]), str(one["answered"]))
    show(table)


def _show_estimates(found: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from labelwright.cli.opened import show

    table = Table("concept", "model version", "drawn", "answered", "wrong", "error", "interval", "promised", "state")
    for e in found["estimates"]:
        target = e["target"]
        table.add_row(
            escape(e["concept"]["name"]) if e["concept"] else "(all)",
            escape(f"{e['model']['id'] or '?'} {e['model']['version_id']}"),
            *(str(e[name]) for name in ("drawn", "answered", "wrong")),
            "" if e["error"] is None else f"{e['error']:.2%}",
            f"{e['low']:.2%} to {e['high']:.2%}" if e["answered"] else "",
            "" if target is None else f"{target['error']:.2%}",
            "ALARM" if e["alarm"] else e["state"],
        )
    show(table)
    typer.echo(f"{found['waiting']} auto-labels wait for an answer.")
    for e in found["estimates"]:
        if e["alarm"]:
            typer.echo(f"Alarm: {e['reason']}")

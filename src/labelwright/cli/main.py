"""The commands: names, flags and help. What they do stands in modules beside, imported when they are called."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import labelwright
from labelwright.cli import keys, users
from labelwright.errors import LabelwrightError

app = typer.Typer(
    name="labelwright",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help=(
        "A self-hosted auto-annotation server that speaks the Clarifai V2 API.\n\n"
        "A model's confident predictions become labels; the unsure ones wait for a person.\n\n"
        "[bold]First steps[/bold]\n\n"
        "1. [cyan]labelwright demo[/cyan]   watch it label real photos, and look at demo/report.html\n\n"
        "2. [cyan]labelwright serve[/cyan]  start your server; it prints your key and how to connect\n\n"
        "3. Follow the auto-annotation tutorial with the official client, unchanged.\n\n"
        "Every setting is also read from LABELWRIGHT_<NAME> in the environment and from labelwright.toml in "
        "the home; [cyan]labelwright settings[/cyan] lists them."
    ),
)

Home = Annotated[
    Path | None,
    typer.Option(
        "--home", help="Folder of the store, the media and labelwright.toml.", show_default="your data folder"
    ),
]
Workers = Annotated[int | None, typer.Option("--workers", help="Annotator processes.", show_default="1")]


def _address(name: str, help_text: str, default: str) -> Any:
    return typer.Option(name, metavar="HOST:PORT", help=help_text, show_default=default)


def _file(name: str, help_text: str) -> Any:
    return typer.Option(name, metavar="FILE", help=help_text, show_default="plain text")


@app.command()
def serve(
    home: Home = None,
    listen: Annotated[
        str | None,
        _address("--listen", "One address for gRPC and HTTP alike.", "127.0.0.1:8080 where none is given"),
    ] = None,
    grpc: Annotated[str | None, _address("--grpc", "A direct address for gRPC alone.", "closed")] = None,
    http: Annotated[str | None, _address("--http", "A direct address for HTTP alone.", "closed")] = None,
    tls_cert: Annotated[Path | None, _file("--tls-cert", "PEM file of the certificate: all speaks TLS.")] = None,
    tls_key: Annotated[Path | None, _file("--tls-key", "PEM file of the certificate's private key.")] = None,
    workers: Workers = None,
) -> None:
    """Start the server: the API, the annotators that label what is added, and the predictor.

    The first start makes the store and prints the owner's user id and personal access token, once.
    Stop it with Ctrl-C or SIGTERM: it finishes or gives back what it is at, within 10 seconds.

    With a certificate and its key every address takes TLS alone; a renewed certificate needs no restart.
    """
    from labelwright.cli.serve import serve as run_server

    run_server(home=home, listen=listen, grpc=grpc, http=http, tls_cert=tls_cert, tls_key=tls_key, workers=workers)


@app.command()
def worker(home: Home = None, workers: Workers = None) -> None:
    """Run annotators alone, on the store of a server that runs elsewhere.

    Give it the same home, or the same LABELWRIGHT_DATABASE_URL and LABELWRIGHT_MEDIA_URL.
    """
    from labelwright.cli.serve import worker as run_workers

    run_workers(home=home, workers=workers)


@app.command()
def rerun(
    app_id: Annotated[str, typer.Option("--app", help="The app, as ID or USER/ID.")],
    dataset: Annotated[str | None, typer.Option("--dataset", help="Only this dataset's inputs.")] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="Only inputs that the workflow's newest version has not labelled.")
    ] = False,
    home: Home = None,
) -> None:
    """Run an app's default workflow again over the inputs that are there.

    For inputs added before the workflow, or labelled by an older one. It replaces only what workflows
    wrote: what a person said or changed stays. Stopped half-way, the same command goes on.
    `labelwright undo` takes it back.
    """
    from labelwright.cli.runs import rerun as run_again

    run_again(app_id, dataset=dataset, missing=missing, home=home)


@app.command()
def runs(
    app_id: Annotated[str | None, typer.Option("--app", help="Only this app's runs, as ID or USER/ID.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many, newest first.")] = 20,
    home: Home = None,
) -> None:
    """List the automatic runs: when, which workflow, how many inputs, what they wrote and replaced."""
    from labelwright.cli.runs import list_runs

    list_runs(app_id, limit=limit, home=home)


@app.command()
def undo(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or its beginning.")],
    home: Home = None,
) -> None:
    """Take a run back: what it wrote goes, what it replaced returns, what a person touched since stays."""
    from labelwright.cli.runs import undo as undo_run

    undo_run(run_id, home=home)


@app.command()
def settings(
    home: Home = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Write the page of the documents instead: defaults and bounds.")
    ] = False,
) -> None:
    """List every setting: its value now, its name in the environment, and what it is for."""
    from labelwright.cli import settings as listing

    if markdown:
        typer.echo(listing.markdown(), nl=False)
    else:
        listing.list_settings(home)


@app.command()
def demo(
    photos: Annotated[
        Path | None,
        typer.Option("--photos", help="A folder of your own photos.", show_default="those that scikit-image carries"),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Where the report goes.")] = Path("demo"),
) -> None:
    """Run the auto-annotation tutorial on real photos, on a server of its own that is gone afterwards.

    Prints each step, ends with a table of what was labelled and what waits for a person, and writes
    report.html with the photos to look at.
    """
    from labelwright.cli.demo import demo as run_demo

    run_demo(photos=photos, out=out)


app.add_typer(keys.group, name="keys")
app.add_typer(users.group, name="users")


def _version(show: bool) -> None:
    if show:
        typer.echo(f"labelwright {labelwright.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


def run() -> None:
    """The entry point: our own errors end in one line and exit code 1, without a traceback."""
    try:
        app()
    except LabelwrightError as e:
        sys.stderr.write(f"labelwright: {e.details or e.description}\n")
        sys.exit(1)

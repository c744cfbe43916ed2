"""The commands: names, flags and help. What they do stands in modules beside, imported when they are called."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import labelwright
from labelwright.cli import audit, keys, loop, thresholds, users
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
def train(
    app_id: Annotated[str, typer.Option("--app", help="The app, as ID or USER/ID.")],
    model: Annotated[str, typer.Option("--model", help="The model; one that is not there yet is added.")],
    concepts: Annotated[
        list[str] | None,
        typer.Option("--concepts", help="A concept to learn, by its id; give it several times.", show_default="all"),
    ] = None,
    exclusive: Annotated[
        bool, typer.Option("--exclusive", help="Each input shows one of the concepts at most.")
    ] = False,
    home: Home = None,
) -> None:
    """Train a new version of a model on the app's labels, as PostModelVersions does, and show how far it is.

    Without --concepts it learns those that the version before was asked to learn, or all that have labels. Stopped
    half-way, a running server goes on with it.
    """
    from labelwright.cli.train import train as run_training

    run_training(app_id, model, concepts=concepts or [], exclusive=exclusive, home=home)


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
def evaluate(
    app_id: Annotated[str, typer.Option("--app", help="The app, as ID or USER/ID.")],
    model_id: Annotated[str, typer.Option("--model", help="The model: of the app, or of clarifai/main.")],
    version: Annotated[
        str | None, typer.Option("--version", help="One of its versions.", show_default="the newest")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a report with plots.", show_default="none")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON instead of a table.")] = False,
    home: Home = None,
) -> None:
    """Measure a model version against the labels: F1, precision, recall, ROC area, calibration, mistakes.

    A version that was trained here is cross-validated on what it learned from; any other is run on inputs
    that people have labelled. The report is one HTML file that needs nothing else.
    """
    from labelwright.cli.evaluate import evaluate as run_evaluation

    run_evaluation(app_id, model=model_id, version=version, html=html, as_json=as_json, home=home)


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
def simulate(
    data: Annotated[
        str,
        typer.Option("--data", metavar="digits|FILE.npz|FOLDER", help="The labelled set; see above for what is read."),
    ] = "digits",
    error: Annotated[float, typer.Option("--error", help="The share of mistakes allowed among auto-labels.")] = 0.05,
    confidence: Annotated[float, typer.Option("--confidence", help="How sure the promise has to be.")] = 0.95,
    joint: Annotated[
        bool, typer.Option("--joint/--per-concept", help="One promise about all auto-labels, or one for each concept.")
    ] = True,
    train: Annotated[int, typer.Option("--train", min=1, help="Items that people label for training.")] = 300,
    verify: Annotated[
        int, typer.Option("--verify", min=1, help="Items, drawn by chance, that people verify for the thresholds.")
    ] = 600,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, help="Rounds of asking for training labels; 1: all drawn by chance.")
    ] = 4,
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget",
            help="Human labels in all: what is left after training and verification reviews the least sure.",
            show_default="no review",
        ),
    ] = None,
    final: Annotated[
        float | None,
        typer.Option(
            "--final",
            help="Label everything, and aim at this share of right labels in all, instead of --error.",
            show_default="off",
        ),
    ] = None,
    learner: Annotated[
        str, typer.Option("--learner", help="graph: labels spread over the set; head: the head that a server trains.")
    ] = "graph",
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=100_000, help="How often it is played.")] = 1,
    first_seed: Annotated[int, typer.Option("--first-seed", min=0, help="The first seed.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, each run too.")] = False,
) -> None:
    """Play the loop on a set whose labels you have, and see what it would cost and whether the promise holds.

    The set's own labels stand for the person: a model learns from --train of them, is tuned on --verify others
    drawn by chance, and auto-labels the rest where it may. Only then are the auto-labels held against the truth.

    `digits` are the 1,797 digits inside scikit-learn; FILE.npz holds X (uint8 images, or vectors) and y; FOLDER
    has one folder a concept, with images. Nothing is stored, and no server is needed.

    For a start: `labelwright simulate --data digits --error 0.02 --seeds 20`
    """
    from labelwright.cli.simulate import simulate as run_simulation
    from labelwright.training.simulation import Plan

    plan = Plan(error, confidence, joint, train, verify, rounds, budget, final, learner)
    run_simulation(data, plan, seeds=seeds, first_seed=first_seed, as_json=as_json)


@app.command()
def demo(
    photos: Annotated[
        Path | None,
        typer.Option("--photos", help="A folder of your own photos.", show_default="those that scikit-image carries"),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Where the report goes.")] = Path("demo"),
) -> None:
    """Run the auto-annotation tutorial on real photos, on a server of its own that is gone afterwards.

    Prints each step and a table of what was labelled and what waits for a person. Then it plays the loop on
    1,797 digits whose labels it has: how little people label, and whether the promise holds. Writes report.html
    with both to look at.
    """
    from labelwright.cli.demo import demo as run_demo

    run_demo(photos=photos, out=out)


app.add_typer(audit.group, name="audit")
app.add_typer(keys.group, name="keys")
app.add_typer(users.group, name="users")
app.add_typer(thresholds.group, name="thresholds")
app.add_typer(loop.group, name="loop")


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

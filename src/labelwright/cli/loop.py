"""The loop's commands: playing rounds with people, how they stand, a drawing, an end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Row

    from labelwright.store.engine import Store
    from labelwright.training import loop as rules
    from labelwright.training.looper import Stand

LOOK = 1.0
"""Seconds between two looks at what is waited for."""
TURN = 2.0
"""Seconds of work between two looks whether to end."""

group = typer.Typer(
    no_args_is_help=True,
    help=(
        "Play rounds of learning and labelling with people, until everything is labelled or a budget is spent.\n\n"
        "A seed sample is labelled by people, a model trained, its claims verified, thresholds tuned with a guarantee, "
        "and the app auto-labelled; then people are asked what the model would learn most from, and it is trained anew."
    ),
)

Home = Annotated[Path | None, typer.Option("--home", help="Folder of the store.", show_default="your data folder")]
Loop = Annotated[str, typer.Argument(metavar="LOOP", help="The loop's id, or its beginning.")]


@group.command()
def run(
    app: Annotated[str, typer.Option("--app", help="The app, as ID or USER/ID.")],
    model: Annotated[str, typer.Option("--model", help="The model; one that is not there yet is added.")],
    concepts: Annotated[
        str, typer.Option("--concepts", metavar="A,B,C", help="Ids of concepts.", show_default="all that people use")
    ] = "",
    error: Annotated[float, typer.Option("--error", help="Share of mistakes allowed among auto-labels.")] = 0.01,
    confidence: Annotated[
        float, typer.Option("--confidence", help="How sure that is to be, over all rounds together.")
    ] = 0.95,
    joint: Annotated[
        bool, typer.Option("--joint/--per-concept", help="One threshold and promise for all, or one for each concept.")
    ] = True,
    seed_size: Annotated[int, typer.Option("--seed-size", help="Inputs that people label to begin with.")] = 100,
    verify: Annotated[
        int | None,
        typer.Option(
            "--verify", help="Claims that people verify of the first version.", show_default="enough for the promise"
        ),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", help="Inputs that people are asked about in each round.")] = 100,
    budget: Annotated[int, typer.Option("--budget", help="Human labels in all.", show_default="no limit")] = 0,
    rounds: Annotated[int, typer.Option("--rounds", help="Rounds at most.")] = 5,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Play the same again on a copy of the store.", show_default="none")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for people, or do what can be done and end.")
    ] = True,
    home: Home = None,
) -> None:
    """Play the loop of an app and a model: a new one, or the one that has not ended, which keeps its settings.

    It works beside a running server, or alone. Ctrl-C ends it at any time; the same command goes on where it was.

    Example:

      labelwright loop run --app photos --model kind --concepts cat,dog --error 0.02 --budget 1000
    """
    import secrets
    from dataclasses import replace

    from labelwright.training import loop as rules

    params = rules.Params(
        model=model,
        concepts=tuple(c.strip() for c in concepts.split(",") if c.strip()),
        error=error,
        confidence=confidence,
        joint=joint,
        seed_size=seed_size,
        batch=batch,
        budget=budget,
        rounds=rounds,
        seed=secrets.randbits(48) if seed is None else seed,
    )
    params.check()
    if verify is None:
        verify = rules.verify_by_default(error, confidence, rounds)
    _run(home, app, replace(params, verify=verify), wait=wait)


def _run(home: Path | None, name: str, params: rules.Params, *, wait: bool) -> None:
    import signal
    import threading

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from labelwright import logs
    from labelwright.annotator.lane import Carriers, Lane
    from labelwright.cli.opened import find_app, opened
    from labelwright.media.blobs import BlobStore
    from labelwright.operators import registry
    from labelwright.training import looper

    out = Console(soft_wrap=True)
    with opened(home) as (settings, store):
        logs.configure("warning", settings.log_format)
        registry.populate(settings.plugins)
        blobs = BlobStore(settings.media_store_url)
        with store.read() as conn:
            app = find_app(conn, name)
        row, before = looper.begin(store, app, params)
        out.print(_greeting(store, app, row, before=before), highlight=False)
        told = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: told.set())
        carriers = Carriers(Lane(settings, store, blobs))
        moving, stand = looper.Looper(settings, store, blobs), looper.Stand(looper.MOVED)
        with Progress(TextColumn("{task.description}"), BarColumn(), console=out, transient=True) as progress:
            bar = progress.add_task("", total=None)
            while not told.is_set():
                stand = moving.step(row.pk, told.is_set)
                if stand.what in (looper.MOVED, looper.ENDED) and stand.text and not stand.total:
                    progress.console.print(stand.text, highlight=False)
                progress.update(bar, description=stand.text, total=stand.total or None, completed=stand.done)
                if stand.what == looper.ENDED:
                    return
                if stand.what == looper.PEOPLE and not wait:
                    break
                if stand.what == looper.PEOPLE:
                    told.wait(LOOK)
                if stand.what == looper.JOB and not _work(store, carriers, stand, settings.lease, told.is_set):
                    # A server on this store has it: look on.
                    told.wait(LOOK)
    if told.is_set():
        out.print("Stopped. The same command goes on.")
        raise SystemExit(130)
    out.print(f"It waits for people: {stand.text}. The same command goes on.", highlight=False)


def _greeting(store: Store, app: Row[Any], row: Row[Any], *, before: bool) -> str:
    """What is begun, and what is known of it before."""
    from labelwright.store import models
    from labelwright.training import loop as rules
    from labelwright.training import loop_way

    params = rules.Params.from_json(row.params)
    said = (
        f"Loop {row.id} {'goes on' if before else 'begins'}: at most {100 * params.error:g} % mistakes among the "
        f"auto-labels at {100 * params.confidence:g} % confidence, {params.rounds} rounds at most, "
        f"{params.budget or 'no limit of'} human labels."
    )
    enough = rules.enough_verified(params.error, params.confidence, params.rounds)
    if params.verify < enough:
        said += (
            f"\nA round needs {enough} verified claims above its threshold, none of them wrong, to promise that; "
            f"--verify is {params.verify}: nothing is labelled before the rounds have added enough."
        )
    with store.read() as conn:
        if loop_way.missing(conn, app, models.get(conn, app.pk, params.model)):
            said += (
                f"\nThe default workflow does not run {params.model}. Once a version is trained, a new workflow will "
                "be the default one: what the present one does, then the model, thresholds and writers behind it."
            )
    return said


def _work(store: Store, carriers: Any, stand: Stand, lease: float, stop: Callable[[], bool]) -> bool:
    """Carry a job for a turn; False where another process has it."""
    from labelwright.annotator.worker import alive
    from labelwright.cli.runs import free
    from labelwright.store import jobs, queue

    with store.write() as conn:
        free(conn, stand.job)
        claimed = jobs.claim(conn, queue.this_process(), seconds=lease, job_id=stand.job)
    if claimed is None:
        return False
    with alive(store, claimed.lease, lease):
        carriers.of(claimed.kind).carry(claimed, stop=stop, turn=TURN)
    return True


@group.command()
def status(
    app: Annotated[str, typer.Option("--app", help="Only this app's, as ID or USER/ID.", show_default="all")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with every round's numbers.")] = False,
    home: Home = None,
) -> None:
    """List the loops: where each stands, and what its last round came to."""
    import json

    from rich.table import Table

    from labelwright.cli.opened import find_app, opened, show
    from labelwright.store import loops
    from labelwright.training import loop as rules

    with opened(home) as (_settings, store), store.read() as conn:
        row = find_app(conn, app) if app else None
        found = loops.listing(conn, row.pk if row is not None else None)
    if as_json:
        told = [
            {
                "id": one.id,
                "app": f"{one.user_id}/{one.app_id}",
                "state": one.state,
                "step": one.cursor["step"],
                "round": one.cursor["round"],
                "message": one.message,
                "params": one.params,
                "rounds": one.rounds,
            }
            for one in found
        ]
        typer.echo(json.dumps(told, indent=2))
        return
    table = Table("loop", "app", "model", "state", "rounds", "human labels", "auto", "open", "promise")
    table.columns[0].no_wrap = True
    for one in found:
        last = rules.Round.from_json(one.rounds[-1]) if one.rounds else None
        state = one.state if one.state != rules.RUNNING else f"round {one.cursor['round']}: {one.cursor['step']}"
        numbers = ("", "", "") if last is None else (str(last.people), str(last.auto), str(last.open))
        promise = "" if last is None or last.promise is None else f"{100 * last.promise:.2f} %"
        played = f"{len(one.rounds)} of {one.params['rounds']}"
        table.add_row(one.id, f"{one.user_id}/{one.app_id}", one.params["model"], state, played, *numbers, promise)
    show(table)


@group.command()
def plot(
    loop: Loop,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write: a name in .svg or .html.")],
    home: Home = None,
) -> None:
    """Draw a loop's rounds: human labels, auto-labels and what is open, and what was promised."""
    from labelwright.cli.loop_plot import page, svg
    from labelwright.cli.opened import opened
    from labelwright.errors import InvalidRequest
    from labelwright.training import loop as rules
    from labelwright.training import looper

    if file.suffix not in (".svg", ".html"):
        raise InvalidRequest(f"{file.name!r} is neither .svg nor .html; name a file that ends in one of them")
    with opened(home) as (_settings, store), store.read() as conn:
        row = looper.find(conn, loop)
    played = [rules.Round.from_json(one) for one in row.rounds]
    if not played:
        raise InvalidRequest(f"loop {row.id} has not ended its first round; there is nothing to draw")
    params = rules.Params.from_json(row.params)
    file.write_text(svg(params, played) if file.suffix == ".svg" else page(row.id, params, played))
    typer.echo(f"{file} is written: {len(played)} rounds.")


@group.command()
def stop(loop: Loop, home: Home = None) -> None:
    """End a loop for good: what it labelled stays, and `loop run` begins another one."""
    from labelwright.cli.opened import opened
    from labelwright.training import looper

    with opened(home) as (_settings, store):
        with store.read() as conn:
            row = looper.find(conn, loop)
        ended = looper.stop(store, row)
    typer.echo(f"Loop {row.id} is stopped." if ended else f"Loop {row.id} had ended before.")

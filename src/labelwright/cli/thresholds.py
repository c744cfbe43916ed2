"""The commands about thresholds: drawing what is to be verified, choosing with a guarantee, listing, taking back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sqlalchemy import Row

    from labelwright.media.blobs import BlobStore
    from labelwright.store.engine import Store
    from labelwright.training.tuner import Tuned

group = typer.Typer(
    no_args_is_help=True,
    help=(
        "Choose thresholds with a stated guarantee on the mistakes among the auto-labels.\n\n"
        "Draw claims of a model at random, have people verify them in the browser, and tune: the thresholds that come "
        "out keep the share of mistakes below the error, with the confidence that you say. Every tuning can be undone."
    ),
)

Home = Annotated[Path | None, typer.Option("--home", help="Folder of the store.", show_default="your data folder")]
App = Annotated[str, typer.Option("--app", help="The app, as ID or USER/ID.")]
Model = Annotated[str, typer.Option("--model", help="The model's id.")]
Version = Annotated[
    str, typer.Option("--version", metavar="ID", help="A version of the model.", show_default="its newest trained one")
]


@contextmanager
def _at(home: Path | None, name: str) -> Iterator[tuple[Store, BlobStore, Row]]:  # type: ignore[type-arg]
    from labelwright.cli.opened import find_app, opened
    from labelwright.media.blobs import BlobStore
    from labelwright.operators import registry

    with opened(home) as (settings, store):
        registry.populate(settings.plugins)
        with store.read() as conn:
            app = find_app(conn, name)
        yield store, BlobStore(settings.media_store_url), app


@group.command()
def draw(
    app: App,
    model: Model,
    n: Annotated[int, typer.Option("--n", min=1, max=100_000, help="How many.")] = 400,
    version: Version = "",
    seed: Annotated[
        int | None, typer.Option("--seed", help="Draw the same ones again on a copy of the store.", show_default="none")
    ] = None,
    home: Home = None,
) -> None:
    """Draw claims of a model at random from those still to be decided, for people to verify.

    They wait in the browser, one after the other, without what the model said. To show an error of 1 % at a
    confidence of 95 % the first look needs 348 answers without a mistake above the threshold, and 69 for 5 %.

    Example:

      labelwright thresholds draw --app photos --model my-head --n 400
    """
    from rich.console import Console

    from labelwright.training import tuner

    with _at(home, app) as (store, blobs, row):
        drawn = tuner.draw(store, blobs, row, model, n=n, user_id=row.user_id, version_id=version, seed=seed)
    out = Console()
    out.print(f"Draw {drawn.id}: {drawn.items} of {drawn.pool} claims that are still to be decided, at random.")
    if drawn.items < n:
        out.print(f"There are no more than {drawn.pool}.")
    out.print("People answer them in the browser; then  labelwright thresholds tune  makes use of the answers.")


@group.command()
def tune(
    app: App,
    model: Model,
    error: Annotated[float, typer.Option("--error", help="Share of mistakes allowed among auto-labels.")] = 0.01,
    confidence: Annotated[float, typer.Option("--confidence", help="How sure that is to be.")] = 0.95,
    joint: Annotated[
        bool, typer.Option("--joint/--per-concept", help="One threshold and promise for all, or one for each concept.")
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be chosen, and change nothing.")] = False,
    version: Version = "",
    home: Home = None,
) -> None:
    """Choose thresholds so that, with the confidence, no more than the error of the auto-labels are mistakes.

    Only answers to claims that were drawn at random count, and none about inputs that the model was trained on. Each
    look at new answers spends a part of the risk, a dry run too; the same look again is free.

    Both thresholders behind the model and the default workflow get new versions, together. `thresholds undo` takes
    that back.

    Example:

      labelwright thresholds tune --app photos --model my-head --error 0.01 --confidence 0.95
    """
    from labelwright.training import tuner
    from labelwright.training.tuning import Target

    target = Target(error, confidence, joint)
    with _at(home, app) as (store, blobs, row):
        done = tuner.tune(store, blobs, row, model, target, user_id=row.user_id, version_id=version, dry_run=dry_run)
    _report(done, dry_run)


def _report(done: Tuned, dry_run: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from labelwright.cli.opened import show
    from labelwright.training import tuner
    from labelwright.training.tuning import NEVER, verify_more

    decision, known = done.decision, done.evidence
    table = Table("concept", "threshold", "bound", "verified", "above", "wrong", "coverage", "interval", "advice")
    for limit in decision.limits:
        table.add_row(
            "all together" if limit.group is None else done.subject.concepts[limit.group],
            "never" if limit.threshold >= NEVER else f"{limit.threshold:.4f}",
            _percent(limit.bound) if limit.threshold < NEVER else "-",
            *(str(n) for n in (limit.verified, limit.verified_above, limit.wrong_above)),
            _percent(limit.coverage),
            f"{_percent(limit.coverage_low)} to {_percent(limit.coverage_high)}",
            verify_more(limit),
        )
    show(table)
    out = Console(soft_wrap=True)
    out.print(
        f"Forecast: {_percent(decision.coverage)} of what is still to be labelled, "
        f"{_percent(decision.coverage_low)} to {_percent(decision.coverage_high)}. Look {decision.look}: "
        "each look at this version takes its part of the risk."
    )
    counts = known.counts()
    out.print(f"Evidence: {counts['verified']} verified, {counts['audited']} audited.")
    for n, text in (
        (known.waiting, "drawn and not answered yet"),
        (known.out_of_turn, "answered behind one that is not, so they count once the gap is closed"),
        (known.trained, "left out: the version was trained on these inputs"),
        (known.untold, 'answered with "can\'t tell", which count as wrong'),
    ):
        if n:
            out.print(f"  {n} {text}")
    if known.not_drawn:
        out.print(f"Refused: {tuner.refused(known.not_drawn)}.")
    if done.made is not None:
        made = done.made["workflow"]
        out.print(f"Workflow {made['id']} runs them from now on, in version {made['version']}.")
        out.print(f"Take it back with  labelwright thresholds undo {done.id}")
    elif dry_run:
        out.print("A dry run: nothing was changed.")
    else:
        out.print("Nothing was changed: the answers do not support the target yet.")


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


@group.command("list")
def list_tunings(
    app: App,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many, newest first.")] = 20,
    home: Home = None,
) -> None:
    """List the draws that are under way and what was tuned: when, for which model, for which target, and what came."""
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.table import Table

    from labelwright.cli.opened import show
    from labelwright.store import draws, tunings
    from labelwright.training import tuner

    with _at(home, app) as (store, _blobs, row), store.read() as conn:
        rows = tunings.listing(conn, row.pk, limit=limit)
        drawn = draws.listing(conn, row.pk, draws.VERIFY)
    for one in drawn:
        if one.answered < one.items:
            Console(soft_wrap=True).print(
                f"Draw {one.id} of model {one.params.get('model_id', '')}: {one.answered} of {one.items} answered."
            )
    if not rows:
        Console().print("No tuning yet: draw, have people verify, and tune.")
        return
    table = Table("tuning", "when", "model", "by", "error", "confidence", "coverage", "state")
    table.columns[0].no_wrap = True
    for one in rows:
        coverage = one.result.get("coverage")
        table.add_row(
            one.id,
            datetime.fromtimestamp(one.created_at / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S"),
            str(one.params.get("model_id", "")),
            "hand, without guarantee" if one.params.get("by") == tuner.HAND else "answers",
            *("" if one.params.get(name) is None else str(one.params[name]) for name in ("error", "confidence")),
            _percent(coverage[0]) if coverage else "",
            "undone" if one.undone_at else "applied" if one.made is not None else "a look",
        )
    show(table)


@group.command()
def undo(
    tuning: Annotated[str, typer.Argument(metavar="TUNING", help="The tuning's id, or its beginning.")],
    home: Home = None,
) -> None:
    """Take a tuning back: the thresholds and the workflow get versions as they were before it."""
    from rich.console import Console

    from labelwright.cli.opened import opened
    from labelwright.errors import DoesNotExist
    from labelwright.operators import registry
    from labelwright.store import apps, tunings
    from labelwright.training import tuner

    with opened(home) as (settings, store):
        registry.populate(settings.plugins)
        with store.read() as conn:
            found = tunings.beginning_with(conn, tuning) if tuning else []
            app = apps.by_pk(conn, found[0].app) if len(found) == 1 else None
        if app is None:
            raise DoesNotExist(f"there is {'more than one' if len(found) > 1 else 'no'} tuning {tuning!r}")
        row = tuner.undo(store, app, found[0].id)
    Console(soft_wrap=True).print(f"Tuning {row.id} is undone: the thresholds are as they were before.")

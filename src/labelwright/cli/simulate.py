"""Playing the loop on a labelled set: a table or JSON of what it cost and whether the promise held."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from labelwright.training import data_sets, simulation
from labelwright.training.simulation import Plan, Played

_PREPARING = 3.0
# The share of a first run that reading a set and looking for neighbours takes, in runs: 70,000 digits 3, small sets 1.


def simulate(given: str, plan: Plan, *, seeds: int, first_seed: int = 0, as_json: bool = False) -> None:
    """Play a plan with several seeds and print what came out.

    Raises:
        ConfigurationError: the set can't be read, or the plan does not fit it.
    """
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bars:
        bar = bars.add_task("reading", total=_PREPARING + seeds)

        def tell(start: float, part: float) -> Callable[[float, str], None]:
            return lambda share, what: bars.update(bar, completed=start + part * share, description=what)

        data = data_sets.load(given, tell(0, _PREPARING / 2))
        plan.check(len(data.labels))
        learn = simulation.learner(data, plan, progress=tell(_PREPARING / 2, _PREPARING / 2))
        played = []
        for number in range(seeds):
            bars.update(bar, completed=_PREPARING + number, description=f"seed {number + 1} of {seeds}")
            played.append(simulation.play(data, plan, learn, first_seed + number))
    found = simulation.summary(data, plan, played)
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        _show(Console(), found, played)


def rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What a summary says, as pairs of words."""
    plan, human, runs = found["plan"], found["human"], found["seeds"]
    several = runs > 1
    low, high = found["true_error_interval"]
    out = [
        ("items", f"{found['items']:,} of {found['concepts']} concepts"),
        (
            "human labels",
            f"{human['all']:,.0f}: {human['training']:,.0f} training, {human['verification']:,.0f} verification, "
            f"{human['review']:,.0f} review",
        ),
        ("auto-labelled", f"{found['auto_labelled']:,.0f}, {found['coverage']:.1%} of what was left to label"),
    ]
    if found["unproven"]:
        out.append(("beyond the promise", f"{found['unproven']:,.0f} auto-labels that the verification can't support"))
    if found["left"]:
        out.append(("waiting for a person", f"{found['left']:,.0f}"))
    if found["true_error"] is None:
        out.append(("true error", "nothing was auto-labelled"))
    else:
        worst = f", the worst seed {found['true_error_highest']:.2%}" if several else ""
        out.append(("true error", f"{found['true_error']:.2%} of auto-labels ({low:.2%} to {high:.2%}){worst}"))
    allowed = f"{plan['error']:.3g}" if plan["final"] is None else f"{1 - plan['final']:.3g} of everything"
    out += [
        (
            "promise broken",
            f"in {found['broken']} of {runs} seed{'s' if several else ''} (error {allowed}, confidence "
            f"{plan['confidence']:g}: by chance in up to {found['broken_within_chance']})",
        ),
        ("final labels right", f"{found['final_right']:.2%}" + _lowest(found, several)),
        ("reduction", f"{found['reduction']:.1f} items for each human label" + _when_done(found)),
    ]
    return out


def _when_done(found: dict[str, Any]) -> str:
    return f"; {found['reduction_when_done']:.1f} once people label what waits" if found["left"] else ""


def _lowest(found: dict[str, Any], several: bool) -> str:
    if not several:
        return ""
    reached = "" if found["final_reached"] is None else f", reached in {found['final_reached']} of {found['seeds']}"
    return f", the worst seed {found['final_right_lowest']:.2%}{reached}"


def _show(console: Console, found: dict[str, Any], played: list[Played]) -> None:
    show(console, rows(found))
    if found["left_out"]:
        console.print(f"{found['left_out']} files could not be read as images", style="dim")
    if all(p.auto == 0 for p in played):
        console.print(
            "No threshold could be shown to keep the promise: verify more, train more, or allow a larger error.",
            style="yellow",
        )


def show(console: Console, said: Iterable[tuple[str, str]]) -> None:
    """Print pairs of words as a table."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in said:
        table.add_row(name, value)
    console.print(table)

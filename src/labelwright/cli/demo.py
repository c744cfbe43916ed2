"""The demo: a server of its own, the tutorial on real photos, a table and a page."""

from __future__ import annotations

import contextlib
import io
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from labelwright.cli.simulate import rows, show
from labelwright.demo.own_server import own_server
from labelwright.demo.page import write_page
from labelwright.demo.photo_server import photo_urls
from labelwright.demo.photos import Found, photos_in, sample_photos, shown
from labelwright.demo.results import HONEST, Outcome, Result, count
from labelwright.demo.simulated import Simulated
from labelwright.demo.tutorial import THRESHOLDS, Tutorial, official_client
from labelwright.errors import ConfigurationError
from labelwright.training import data_sets, simulation
from labelwright.training.simulation import Plan

SEEDS = 20
ABOUT = (
    "The second part needs no server: 1,797 handwritten digits, whose own labels stand for the person. 100 are "
    "labelled to learn from and 200 to verify; then a threshold is sought above which at most 2 % of the labels are "
    f"wrong, at a confidence of 95 %. Played {SEEDS} times, and held against the truth afterwards."
)

_STYLES = {
    Outcome.LABELLED: "green",
    Outcome.WAITING: "yellow",
    Outcome.NOTHING: "dim",
    Outcome.FAILED: "red",
}


def demo(photos: Path | None, out: Path) -> None:
    """Run the tutorial on photos and the loop on digits, print what came of them, and write ``out/report.html``.

    Raises:
        ConfigurationError: no photos, or nowhere to write to.
        DemoFailed: the server did not do as it should.
    """
    # A file name may hold what the terminal's encoding does not.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    console = Console()
    found = sample_photos() if photos is None else photos_in(photos)
    # Before the work, not after it.
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise ConfigurationError(f"the folder {shown(out)} can't be made: {e.strerror}") from e
    console.print(_found(found))
    with _ended_by_signals(console):
        results = _run(console, found)
        _show(console, results)
        simulated = _simulate(console)
    try:
        page = write_page(results, out, THRESHOLDS, simulated)
    except OSError as e:
        raise ConfigurationError(f"the report can't be written to {shown(out)}: {e.strerror}") from e
    console.print(Text(f"\nThe report: {shown(page)}"), soft_wrap=True)


def _run(console: Console, found: Found) -> list[Result]:
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console, transient=True
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(bars)
        bar = bars.add_task("Starting a server", total=None)
        server = stack.enter_context(own_server())
        urls = stack.enter_context(photo_urls(found.photos))
        stub = stack.enter_context(official_client(server.port))
        labelling = bars.add_task("photos", total=len(found.photos), visible=False)
        tutorial = Tutorial(
            server,
            stub,
            found.photos,
            urls,
            labelled=lambda done: bars.update(labelling, completed=done, visible=True),
        )
        steps = tutorial.steps()
        bars.update(bar, total=len(steps))
        for number, step in enumerate(steps, 1):
            bars.update(bar, description=step.title)
            came = step.run()
            bars.advance(bar)
            line = Text(f"{number:2}  ", style="dim")
            line.append(f"{step.title:<17} ", style="not dim bold")
            line.append(step.about, style="not dim")
            line.append(f"\n{'':22}{came}")
            console.print(line, soft_wrap=True)
        bars.update(bar, description="Stopping the server")
        bars.update(labelling, visible=False)
        return tutorial.results()


def _simulate(console: Console) -> Simulated:
    """Play the loop on scikit-learn's digits, and print what came of it."""
    plan = Plan(error=0.02, train=100, verify=200, rounds=3)
    console.print(f"\n{ABOUT}\n", soft_wrap=True)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console, transient=True
    ) as bars:
        bar = bars.add_task("Looking at 1,797 digits", total=SEEDS)
        data = data_sets.load(data_sets.DIGITS)
        learn = simulation.learner(data, plan)
        played = []
        for seed in range(SEEDS):
            bars.update(bar, completed=seed, description="Labelling digits")
            played.append(simulation.play(data, plan, learn, seed))
    said = tuple(rows(simulation.summary(data, plan, played)))
    show(console, said)
    return Simulated(ABOUT, said, [p.true_error or 0.0 for p in played], plan.error)


@contextlib.contextmanager
def _ended_by_signals(console: Console) -> Iterator[None]:
    """However the demo is told to end, it leaves in order: the server stopped, its home removed."""
    received = [signal.SIGINT]

    def interrupt(number: int, _frame: Any) -> None:
        received.append(signal.Signals(number))
        raise KeyboardInterrupt

    # What is ignored stays so: nohup asks for that.
    ends = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in ends}
    try:
        yield
    except KeyboardInterrupt:
        console.print("Stopped; the demo's server and its data are gone.")
        raise SystemExit(128 + received[-1]) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _found(found: Found) -> Text:
    one = len(found.photos) == 1
    line = Text(f"{len(found.photos)} photo{'' if one else 's'}", style="bold")
    if found.left_out:
        line.append(f", the first of {len(found.photos) + found.left_out}", style="not bold")
    if found.ignored:
        line.append(f"; {found.ignored} pictures of formats that the server does not read are left out")
    return line


def _show(console: Console, results: list[Result]) -> None:
    """Print a row for each concept of each photo, and one for each photo without any."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("photo", overflow="fold")
    table.add_column("concept")
    table.add_column("score", justify="right")
    table.add_column("outcome", overflow="fold")
    for result in results:
        name = Text(result.photo.name)
        for finding in result.findings:
            said = Text(finding.outcome, style=_STYLES[finding.outcome])
            table.add_row(name, Text(finding.concept), f"{finding.score:.2f}", said)
        if not result.findings:
            said = Text(result.outcome, style=_STYLES[result.outcome])
            if result.failure:
                said.append(f": {result.failure}", style="default")
            table.add_row(name, "", "", said)
    counts = count(results)
    console.print()
    console.print(table)
    console.print(
        f"\n{counts.labelled} labelled, {counts.waiting} waiting for a person, {counts.nothing} with nothing seen"
        + (f", {counts.failed} failed" if counts.failed else "")
    )
    console.print(Text(f"{HONEST} Labelled from: {thresholds()}.", style="dim"))


def thresholds() -> str:
    """The thresholds in words."""
    return ", ".join(f"{name} {value:g}" for name, value in THRESHOLDS.items())

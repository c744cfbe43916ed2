"""The report: one HTML file that needs nothing else, neither network nor scripts."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import labelwright
from labelwright.demo.graph import graph
from labelwright.demo.results import HONEST, Box, Counts, Finding, Outcome, Result, count
from labelwright.demo.simulated import Simulated, section
from labelwright.demo.thumbnails import MANY, SIDE, SMALL_SIDE, Thumbnail, thumbnail

NAME = "report.html"

_ORDER = (Outcome.LABELLED, Outcome.WAITING, Outcome.FAILED, Outcome.NOTHING)
_CLASSES = {
    Outcome.LABELLED: "labelled",
    Outcome.WAITING: "waiting",
    Outcome.NOTHING: "nothing",
    Outcome.FAILED: "failed",
}
_FRAME, _KEPT = 4 / 3, 0.66
"""Width over height of the frame that a photo stands in, and the share of a photo that has to stay visible."""
# Whatever a file name or a concept may hold: the page runs no script and loads nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def write_page(
    results: Sequence[Result], folder: Path, thresholds: Mapping[str, float], simulated: Simulated | None = None
) -> Path:
    """Write ``report.html`` into a folder that is there; gives its path.

    Raises:
        OSError: it can't be written.
    """
    path = folder / NAME
    path.write_text(page(results, thresholds, simulated), "utf-8")
    return path


def page(results: Sequence[Result], thresholds: Mapping[str, float], simulated: Simulated | None = None) -> str:
    """The report as HTML: counts, the way through the workflow, a card for each photo, and the loop on digits.

    Args:
        thresholds: concept name to score (0..1) from which on it is a label.
        simulated: what came of the second part; None where it did not run.
    """
    counts = count(results)
    side = SIDE if len(results) <= MANY else SMALL_SIDE
    cards = [
        _card(result, thumbnail(result.photo, side))
        for result in sorted(results, key=lambda r: (_ORDER.index(r.outcome), -_best(r)))
    ]
    css = importlib.resources.files(__package__).joinpath("page.css").read_text("utf-8")
    shown = ", ".join(f"{escape(name)} {value:g}" for name, value in thresholds.items())
    labelled_from = f" A score becomes a label from: {shown}." if shown else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Labelwright demo: {_summary(counts)}</title>
<style>
{css}</style>
</head>
<body>
<main>
<header>
<p class="eyebrow">Labelwright demo</p>
<h1>What was labelled, and what waits for a person</h1>
<p class="lead">{_lead(counts)}</p>
</header>
<section class="way" aria-label="The way through the workflow">{graph(counts)}</section>
<section class="cards" aria-label="The photos">
{"".join(cards) or '<p class="empty">No photos.</p>'}
</section>
{"" if simulated is None else section(simulated)}<footer>
<p>{escape(HONEST)}{labelled_from}</p>
<p>Made by <code>labelwright demo</code> {escape(labelwright.__version__)}, which ran the auto-annotation tutorial \
with the official client on a server of its own.</p>
</footer>
</main>
</body>
</html>
"""


def _summary(counts: Counts) -> str:
    return f"{counts.labelled} labelled, {counts.waiting} waiting"


def _lead(counts: Counts) -> str:
    parts = [
        (counts.labelled, Outcome.LABELLED),
        (counts.waiting, Outcome.WAITING),
        (counts.nothing, Outcome.NOTHING),
        (counts.failed, Outcome.FAILED),
    ]
    chips = [
        f'<span class="chip {_CLASSES[outcome]}"><b>{n}</b> {outcome}</span>'
        for n, outcome in parts
        if n or outcome is not Outcome.FAILED
    ]
    photos = "photo" if counts.photos == 1 else "photos"
    return f'<span class="chip all"><b>{counts.photos}</b> {photos}</span>' + "".join(chips)


def _card(result: Result, small: Thumbnail | None) -> str:
    name, outcome = escape(result.photo.name), result.outcome
    credit = f'<span class="credit">{escape(result.photo.credit)}</span>' if result.photo.credit else ""
    body = "".join(_finding(finding) for finding in result.findings)
    if result.failure:
        body += f'<p class="reason">{escape(result.failure)}</p>'
    elif not result.findings:
        body = '<p class="reason">No face that looks towards the camera.</p>'
    return f"""<article class="card {_CLASSES[outcome]}">
<div class="photo">{_picture(result, small)}<span class="badge {_CLASSES[outcome]}">{outcome}</span></div>
<div class="said">
<h2>{name}</h2>{credit}
{body}</div>
</article>
"""


def _picture(result: Result, small: Thumbnail | None) -> str:
    if small is None:
        return '<p class="blank">can’t be shown</p>'
    boxes = "".join(
        f'<rect x="{100 * b.left:.2f}%" y="{100 * b.top:.2f}%" width="{100 * (b.right - b.left):.2f}%" '
        f'height="{100 * (b.bottom - b.top):.2f}%" rx="4"/>'
        for b in result.boxes
    )
    # One drawing for photo and boxes, so that they are cut alike where the frame is of another shape.
    return (
        f'<svg viewBox="0 0 {small.width} {small.height}" preserveAspectRatio="{_fit(small, result.boxes)}" role="img" '
        f'aria-label="{escape(result.photo.name)}"><image href="{small.uri}" width="{small.width}" '
        f'height="{small.height}"/>{boxes}</svg>'
    )


def _fit(small: Thumbnail, boxes: Sequence[Box]) -> str:
    """How the photo lies in its frame: it fills it, unless much of the photo or a part of a box were cut away."""
    shape = small.width / small.height / _FRAME
    kept = min(shape, 1 / shape)
    tall = shape < 1
    spans = [(b.top, b.bottom) if tall else (b.left, b.right) for b in boxes]
    # Of a tall photo the top rather than the middle stays: heads are there.
    places = {"Min": 0.0, "Mid": (1 - kept) / 2, "Max": 1 - kept}
    for place in ("Min", "Mid", "Max") if tall else ("Mid", "Min", "Max"):
        first = places[place]
        if kept >= _KEPT and all(first <= low and high <= first + kept for low, high in spans):
            return f"xMidY{place} slice" if tall else f"x{place}YMid slice"
    return "xMidYMid meet"


def _finding(finding: Finding) -> str:
    score, threshold = 100 * _unit(finding.score), 100 * _unit(finding.threshold)
    told = f"score {finding.score:.2f}, threshold {finding.threshold:g}"
    # The words under the mark stay within the card, wherever the mark is.
    place = f"clamp(2.7rem,{threshold:.1f}%,100% - 2.7rem)"
    return f"""<div class="finding {_CLASSES[finding.outcome]}">
<p><span class="concept">{escape(finding.concept)}</span><span class="score">{finding.score:.2f}</span></p>
<div class="bar" role="img" aria-label="{told}">\
<i class="fill" style="width:{score:.1f}%"></i><i class="mark" style="left:{threshold:.1f}%"></i></div>
<p class="scale"><span style="left:{place}">label from {finding.threshold:g}</span></p>
</div>
"""


def _best(result: Result) -> float:
    return max((finding.score for finding in result.findings), default=0.0)


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))

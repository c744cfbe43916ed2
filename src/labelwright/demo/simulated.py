"""The second part of the demo in the report: the loop played on digits, as words and a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from labelwright.demo.chart import Strip, strips


@dataclass(frozen=True, slots=True)
class Simulated:
    """What came of playing the loop."""

    about: str
    """What was played, in a sentence or two."""
    rows: tuple[tuple[str, str], ...]
    """What was found, as pairs of words."""
    errors: Sequence[float]
    """The true share of mistakes among the auto-labels of each seed, 0..1."""
    target: float
    """The share that was allowed."""


def section(found: Simulated) -> str:
    """A section of the report."""
    said = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in found.rows)
    title = f"True error of the auto-labels, {len(found.errors)} seeds"
    drawn = strips([Strip("each seed", tuple(found.errors))], found.target, title)
    return f"""<section class="second" aria-label="The loop, played on digits">
<h2>How little people have to label</h2>
<p>{escape(found.about)}</p>
<div class="panel"><dl>{said}</dl>{drawn}</div>
</section>
"""

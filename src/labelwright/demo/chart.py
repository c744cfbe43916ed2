"""Small charts as SVG that need nothing else: dots in rows beside a target, and curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 760
_LEFT: Final = 150
_RIGHT: Final = 220
_ROW: Final = 46
_STYLE: Final = """<style>
.chart { --ink: #1d1f23; --soft: #62666f; --line: #d9d7d0; --good: #157347; --bad: #b3261e; --second: #a85d00; }
@media (prefers-color-scheme: dark) { .chart { --ink: #eceef2; --soft: #a2a8b4; --line: #3a404b; --good: #4cc38a; \
--bad: #ff8a80; --second: #f0a53c; } }
.chart text { font: 13px system-ui, sans-serif; fill: var(--ink); }
.chart .soft { fill: var(--soft); font-size: 12px; }
.chart .title { font-size: 15px; font-weight: 600; }
.chart .line { stroke: var(--line); fill: none; }
.chart .target { stroke: var(--bad); stroke-dasharray: 5 4; fill: none; }
.chart .kept { fill: var(--good); fill-opacity: .55; }
.chart .broken { fill: var(--bad); fill-opacity: .75; }
.chart .s0 { stroke: var(--good); fill: none; stroke-width: 2.5; }
.chart .s1 { stroke: var(--second); fill: none; stroke-width: 2; stroke-dasharray: 2 3; }
.chart .t0 { fill: var(--good); }
.chart .t1 { fill: var(--second); }
</style>"""
_SERIES: Final = 2


@dataclass(frozen=True, slots=True)
class Strip:
    """A row of dots."""

    name: str
    values: tuple[float, ...]
    """Shares, 0..1: a dot each."""
    note: str = ""
    """Beside the row."""


def strips(rows: Sequence[Strip], target: float, title: str) -> str:
    """Rows of dots on one axis of shares, and the target that they should not pass; those that do stand out."""
    # Half a tenth more than the farthest dot, and room for the target's name.
    most = max([target * 1.6, *(v * 1.05 for row in rows for v in row.values)])
    # Without notes a chart is narrow, and so its words are large beside other things.
    right, inner = (_RIGHT, _WIDTH - _LEFT - _RIGHT) if any(row.note for row in rows) else (24, 300)
    width = _LEFT + inner + right
    height = 56 + _ROW * len(rows) + 30

    def x(value: float) -> float:
        return _LEFT + inner * value / most

    parts = [_open(height, title, width)]
    for number, row in enumerate(rows):
        y = 56 + _ROW * number + _ROW / 2
        parts.append(f'<text x="{_LEFT - 12}" y="{y + 4:.0f}" text-anchor="end">{escape(row.name)}</text>')
        parts.append(f'<line class="line" x1="{_LEFT}" y1="{y:.0f}" x2="{_LEFT + inner}" y2="{y:.0f}"/>')
        for i, value in enumerate(row.values):
            # Spread over the row's height, the same each time, so that equal values are seen to be many.
            dy = (i * 7 % 11 - 5) * 2.6
            kind = "broken" if value > target else "kept"
            parts.append(f'<circle class="{kind}" cx="{x(value):.1f}" cy="{y + dy:.1f}" r="3.2"/>')
        parts.append(f'<text class="soft" x="{_LEFT + inner + 12}" y="{y + 4:.0f}">{escape(row.note)}</text>')
    bottom = height - 24
    at = x(target)
    parts.append(f'<line class="target" x1="{at:.1f}" y1="46" x2="{at:.1f}" y2="{bottom}"/>')
    parts.append(f'<text class="soft" x="{at:.1f}" y="42" text-anchor="middle">target {target:.3g}</text>')
    parts += [
        f'<text class="soft" x="{x(share):.1f}" y="{height - 6}" text-anchor="middle">{share:.3g}</text>'
        for share in _ticks(0, most)
    ]
    return "".join([*parts, "</svg>"])


def curve(xs: Sequence[float], series: Mapping[str, Sequence[float]], target: float, title: str) -> str:
    """Shares over a number of labels, at most two series, and a target to reach.

    Raises:
        ValueError: more series than there are styles, or fewer than two points.
    """
    if not 1 <= len(series) <= _SERIES or len(xs) < 2:
        raise ValueError(f"{len(series)} series of {len(xs)} points; legal are one or two, of two points or more")
    lowest = min([target, *(v for line in series.values() for v in line)])
    highest = max([target, *(v for line in series.values() for v in line)])
    room = max((highest - lowest) * 0.1, 1e-4)
    low, high, height, top = lowest - room, min(1.0, highest + room), 340, 50
    inner, tall = _WIDTH - 80 - 120, height - top - 46

    def x(value: float) -> float:
        return 80 + inner * (value - xs[0]) / (xs[-1] - xs[0])

    def y(value: float) -> float:
        return top + tall * (high - value) / (high - low)

    parts = [_open(height, title)]
    for share in _ticks(low, high):
        parts.append(f'<line class="line" x1="80" y1="{y(share):.1f}" x2="{80 + inner}" y2="{y(share):.1f}"/>')
        parts.append(f'<text class="soft" x="72" y="{y(share) + 4:.1f}" text-anchor="end">{share:.4g}</text>')
    parts.append(f'<line class="target" x1="80" y1="{y(target):.1f}" x2="{80 + inner}" y2="{y(target):.1f}"/>')
    for number, (name, line) in enumerate(series.items()):
        points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(xs, line, strict=True))
        parts.append(f'<polyline class="s{number}" points="{points}"/>')
        # Two ends that lie together would print one name over the other.
        place = 92 + inner, y(line[-1]) + (-4 if number == 0 else 14)
        parts.append(f'<text class="t{number}" x="{place[0]}" y="{place[1]:.1f}">{escape(name)}</text>')
    parts += [
        f'<text class="soft" x="{x(at):.1f}" y="{height - 24}" text-anchor="middle">{at:,.0f}</text>' for at in xs
    ]
    parts.append(f'<text class="soft" x="{80 + inner / 2}" y="{height - 6}" text-anchor="middle">human labels</text>')
    return "".join([*parts, "</svg>"])


def _open(height: float, title: str, width: int = _WIDTH) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {width} {height:g}" role="img" '
        f'aria-label="{escape(title)}">{_STYLE}<text class="title" x="16" y="22">{escape(title)}</text>'
    )


def _ticks(low: float, high: float) -> list[float]:
    """Three to eight round numbers between two shares."""
    step = 1.0
    for step in (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002):
        if (high - low) / step >= 3:
            break
    first = int(low / step) + (low > 0)
    return [round(k * step, 6) for k in range(first, int(high / step + 1e-9) + 1)]

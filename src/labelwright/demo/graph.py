"""The way of the photos through the workflow, as a drawing with numbers."""

from __future__ import annotations

from html import escape

from labelwright.demo.results import Counts

_WIDTH, _HEIGHT = 1080, 208
_BOX_WIDTH, _BOX_HEIGHT = 168, 66
_THICKEST = 22.0
"""Pixels of the link that carries most."""


def graph(counts: Counts) -> str:
    """An SVG of the workflow; on each link what passed it, the link as thick as that is many."""
    seen = counts.labels + counts.questions
    read = counts.photos - counts.failed
    x = [0.0, 228, 456, 684, _WIDTH - _BOX_WIDTH]
    upper, middle, lower = 1.0, 71.0, 141.0
    most = max(counts.photos, seen, 1)
    links = [
        _link(x[0], middle, x[1], middle, read, most, "plain"),
        _link(x[1], middle, x[2], middle, seen, most, "plain"),
        _link(x[2], middle, x[3], upper, counts.labels, most, "labelled"),
        _link(x[2], middle, x[3], lower, counts.questions, most, "waiting"),
        _link(x[3], upper, x[4], upper, counts.labels, most, "labelled"),
        _link(x[3], lower, x[4], lower, counts.questions, most, "waiting"),
    ]
    boxes = [
        _box(x[0], middle, str(counts.photos), _many(counts.photos, "photo") + " added", "node"),
        _box(x[1], middle, "general-concept", f"looked at {_number(read, 'photo')}", "node named"),
        _box(x[2], middle, "mapper", f"{_number(seen, 'concept')} mapped", "node named"),
        _box(x[3], upper, "greater-than", "≥ its threshold", "node named"),
        _box(x[3], lower, "less-than", "< its threshold", "node named"),
        _box(x[4], upper, str(counts.labels), _many(counts.labels, "label") + " written", "node end labelled"),
        _box(x[4], lower, str(counts.questions), "for a person to look at", "node end waiting"),
    ]
    aside = [f"{counts.nothing} with nothing seen"] if counts.nothing else []
    aside += [f"{counts.failed} failed"] if counts.failed else []
    note = _note(x[1], middle + _BOX_HEIGHT, " · ".join(aside)) if aside else ""
    told = (
        f"{_number(counts.photos, 'photo')} added, {read} predicted, {_number(seen, 'concept')} mapped: "
        f"{counts.labels} labelled, {counts.questions} waiting for a person"
    )
    return (
        f'<svg class="graph" viewBox="-1 0 {_WIDTH + 2} {_HEIGHT}" role="img" aria-label="{escape(told)}">'
        + "".join(links + boxes)
        + note
        + "</svg>"
    )


def _link(x: float, y: float, to_x: float, to_y: float, passed: int, most: int, kind: str) -> str:
    start, end = x + _BOX_WIDTH, to_x
    y, to_y, bend = y + _BOX_HEIGHT / 2, to_y + _BOX_HEIGHT / 2, (end - start) / 2
    path = f"M{start:g} {y:g}C{start + bend:g} {y:g} {end - bend:g} {to_y:g} {end:g} {to_y:g}"
    # Nothing that passed is a thin dashed line: the way is there, though nobody took it.
    thick = max(2.0, _THICKEST * passed / most) if passed else 1.5
    return f'<path class="link {kind}{"" if passed else " none"}" d="{path}" stroke-width="{thick:.1f}"/>'


def _box(x: float, y: float, head: str, text: str, kind: str) -> str:
    centre = x + _BOX_WIDTH / 2
    return (
        f'<g class="{kind}"><rect x="{x:g}" y="{y:g}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="10"/>'
        f'<text class="head" x="{centre:g}" y="{y + 30:g}">{escape(head)}</text>'
        f'<text class="text" x="{centre:g}" y="{y + 50:g}">{escape(text)}</text></g>'
    )


def _note(x: float, y: float, text: str) -> str:
    centre = x + _BOX_WIDTH / 2
    return (
        f'<path class="link plain none" d="M{centre:g} {y:g}v22" stroke-width="1.5"/>'
        f'<text class="text" x="{centre:g}" y="{y + 40:g}">{escape(text)}</text>'
    )


def _number(n: int, noun: str) -> str:
    return f"{n} {_many(n, noun)}"


def _many(n: int, noun: str) -> str:
    return noun if n == 1 else noun + "s"

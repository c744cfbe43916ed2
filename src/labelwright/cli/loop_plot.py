"""The drawing of a loop's rounds: who labelled how much, and what was promised."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from labelwright.training.loop import Params, Round

_WIDTH, _HEIGHT, _LEFT, _TOP = 760, 320, 64, 44
_INK, _GREY, _LINE = "#1d2733", "#667380", "#d5dbe1"
_PARTS = (
    ("taught", "people, to teach", "#3465a4"),
    ("verified", "people, by chance", "#7ba3d0"),
    ("reviewed", "people, in review", "#b9cfe6"),
    ("auto", "auto-labelled", "#2f8f5b"),
    ("open", "open", "#e4e7eb"),
)


def svg(params: Params, played: Sequence[Round]) -> str:
    """A bar for each round: all inputs, parted by who labelled them; above it what was promised."""
    most = max(max(one.pool, one.people + one.auto + one.open) for one in played) or 1
    width, height = _WIDTH - _LEFT - 20, _HEIGHT - _TOP - 60
    step = width / len(played)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(told(params, played))}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
    ]
    for share in (0, 0.5, 1):
        y = _TOP + height * (1 - share)
        out.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - 20}" stroke="{_LINE}"/>')
        out.append(_text(_LEFT - 8, y + 4, f"{round(most * share):,}", "end", _GREY))
    for i, one in enumerate(played):
        x, wide, y = _LEFT + step * (i + 0.5), min(step * 0.6, 72), float(_TOP + height)
        for name, label, colour in _PARTS:
            n = getattr(one, name)
            tall = height * n / most
            y -= tall
            if n:
                title = f"<title>round {one.number}, {label}: {n}</title>"
                out.append(
                    f'<rect x="{x - wide / 2:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}" '
                    f'fill="{colour}">{title}</rect>'
                )
        promised = "no promise" if one.promise is None else f"≤ {100 * one.promise:.2f} %"
        out.append(_text(x, _TOP - 8, promised, "middle", _INK))
        out.append(_text(x, _TOP + height + 18, f"round {one.number}", "middle", _INK))
    x = float(_LEFT)
    for _, label, colour in _PARTS:
        out.append(f'<rect x="{x:.0f}" y="{_HEIGHT - 24}" width="11" height="11" fill="{colour}"/>')
        out.append(_text(x + 16, _HEIGHT - 14, label, "start", _INK))
        x += 34 + 6.6 * len(label)
    out.append(_text(_LEFT, 16, told(params, played), "start", _GREY))
    return "\n".join([*out, "</svg>\n"])


def told(params: Params, played: Sequence[Round]) -> str:
    """The drawing in words."""
    last = played[-1]
    return (
        f"{params.model}: after {len(played)} rounds {last.people} human labels and {last.auto} auto-labels of "
        f"{last.pool} inputs, {last.open} open; target {100 * params.error:g} % at {100 * params.confidence:g} %"
    )


def page(loop_id: str, params: Params, played: Sequence[Round]) -> str:
    """The drawing and its numbers as one page that needs nothing else."""
    names = ("round", "version", "trained on", "taught", "verified", "reviewed", "auto", "open", "bound", "promise")
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(str(value))}</td>"
            for value in (
                *(
                    one.number,
                    one.version[:12],
                    one.trained,
                    one.taught,
                    one.verified,
                    one.reviewed,
                    one.auto,
                    one.open,
                ),
                *("-" if b is None else f"{100 * b:.2f} %" for b in (one.bound, one.promise)),
            )
        )
        + "</tr>"
        for one in played
    )
    lines = "".join(f"<li>{escape(one.line())}</li>" for one in played)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Loop {escape(loop_id)}</title><style>body{{font:15px sans-serif;color:{_INK};max-width:60rem;"
        "margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;display:block;overflow:auto}"
        f"td,th{{padding:.3rem .7rem;border-bottom:1px solid {_LINE};text-align:right}}svg{{width:100%}}</style>"
        f"<h1>Loop {escape(loop_id)}</h1>{svg(params, played)}<table><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table><ol>{lines}</ol></html>\n"
    )


def _text(x: float, y: float, text: str, anchor: str, colour: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'

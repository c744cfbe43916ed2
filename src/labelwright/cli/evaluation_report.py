"""The report of an evaluation: one HTML file that needs nothing else, drawn by the scripts of the pages."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import labelwright
from labelwright.review import assets

SCRIPTS = ("dom.js", "plots.js", "evaluation_view.js", "evaluation_report.js")
"""In the order in which they need each other."""
STYLES = ("app.css", "evaluation.css")
GROUP = "evaluation"
"""Of the texts."""

_IMPORT = re.compile(r"^import [^\n;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const)\b)", re.MULTILINE)


def write_report(path: Path, about: Mapping[str, Any], result: Mapping[str, Any], images: Mapping[str, bytes]) -> None:
    """Write the report.

    Args:
        about: ``model``, ``version``, ``app``, ``when``: texts.
        result: as `labelwright.training.evaluation_record.record` makes it.
        images: input id to a JPEG.

    Raises:
        OSError: it can't be written.
    """
    path.write_text(page(about, result, images), "utf-8")


def page(about: Mapping[str, Any], result: Mapping[str, Any], images: Mapping[str, bytes]) -> str:
    """The report as HTML. It loads nothing, and runs the one script that its own policy names by its hash."""
    texts = assets.strings_by_group()[GROUP]
    kept = {name: value for name, value in result.items() if name != "examples"}
    kept["concepts"] = [{name: value for name, value in c.items() if name != "grid"} for c in result["concepts"]]
    uris = {i: f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" for i, jpeg in images.items()}
    data = _in_script({**about, "result": kept, "images": uris})
    script = _script(texts)
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'; "
        "base-uri 'none'; form-action 'none'"
    )
    title = texts["report_title"].replace("{model}", str(about["model"]))
    styles = "\n".join((assets.folder("static") / name).read_text("utf-8") for name in STYLES)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>
{styles}</style>
</head>
<body>
<main id="main">
<header id="head"><h1>{escape(title)}</h1></header>
<div class="stack below" id="evaluation">{_figures(texts, result)}</div>
<p class="hint below">Made by <code>labelwright evaluate</code> {escape(labelwright.__version__)}.</p>
</main>
<script type="application/json" id="data">{data}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def _script(texts: Mapping[str, str]) -> str:
    """The pages' modules as one: what they import from each other stands above them."""
    parts = [f"const t = {_in_script({GROUP: texts})};\n"]
    for name in SCRIPTS:
        source = (assets.folder("static") / name).read_text("utf-8")
        # Each in a scope of its own would be safer; their names differ, as a test of the report shows.
        parts.append(_EXPORT.sub("", _IMPORT.sub("", source)))
    return "\n".join(parts)


def _in_script(value: Any) -> str:
    """JSON that may stand within a script element, whatever its texts are."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # The two line separators end a line of JavaScript; "<" could begin the end of the element, or a comment.
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _figures(texts: Mapping[str, str], result: Mapping[str, Any]) -> str:
    """The figures as a table, for whoever runs no scripts; the script puts everything in its place."""
    columns = ("f1", "precision", "recall", "roc_auc", "calibration_error")
    heads = "".join(f"<th>{escape(texts[f'figure_{name}'])}</th>" for name in columns)
    rows = "".join(
        f"<tr><th>{escape(concept['name'])}</th>"
        + "".join(f"<td>{'' if concept[name] is None else format(concept[name], '.3f')}</td>" for name in columns)
        + "</tr>"
        for concept in result["concepts"]
    )
    return f"<table><thead><tr><th>{escape(texts['concept'])}</th>{heads}</tr></thead><tbody>{rows}</tbody></table>"

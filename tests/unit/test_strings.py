"""The English texts of the pages: all in one place, all of them used, and none anywhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from labelwright.review import assets

ROOM = assets.folder("static").parent
TEMPLATES = sorted(assets.folder("templates").glob("*.html"))
SCRIPTS = sorted(assets.folder("static").glob("*.js"))
GROUPS = assets.strings_by_group()

_USE = re.compile(r"\bt\.([a-z]\w*)\.([a-z]\w*)\b")
# t.review[`state_${name}`], t.media["kind_" + kind], t.media[name]
_CHOSEN = re.compile(r"\bt\.([a-z]\w*)\[\s*(?:`([^`$]*)\$\{|\"([^\"]*)\"|'([^']*)'|([A-Za-z_]))")
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_SPOKEN = ("alt", "title", "aria-label", "placeholder", "label")


def code_of(script: str) -> str:
    """A script without its comments."""
    return re.sub(r"/\*.*?\*/|(?<![:\"'`\w/])//[^\n]*", "", script, flags=re.DOTALL)


@cache
def sources() -> dict[Path, str]:
    found = {path: path.read_text() for path in TEMPLATES}
    return found | {path: code_of(path.read_text()) for path in SCRIPTS}


def uses(text: str) -> set[tuple[str, str]]:
    return set(_USE.findall(text))


@cache
def used() -> set[tuple[str, str]]:
    """Group and key of every text that something shows."""
    found: set[tuple[str, str]] = set()
    for text in sources().values():
        found |= uses(text)
        for group, *chosen in _CHOSEN.findall(text):
            prefix = next((c for c in chosen[:3] if c), "")
            # A key that is put together by a prefix; or one that is named elsewhere, as a text of its own.
            found |= {(group, key) for key in GROUPS.get(group, ()) if prefix and key.startswith(prefix)}
            if not prefix:
                found |= {(group, key) for key in GROUPS.get(group, ()) if re.search(rf"[\"'`]{key}[\"'`]", named())}
    found |= {("shell", key) for key in GROUPS["shell"] if re.match(r"error_\d+$", key)}
    return found | {("shell", key) for key in GROUPS["shell"] if f'"{key}"' in named()}


@cache
def named() -> str:
    return "\n".join([*sources().values(), *(path.read_text() for path in ROOM.glob("*.py"))])


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_is_a_flat_list_of_texts(group: str) -> None:
    assert GROUPS[group]
    for key, text in GROUPS[group].items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", key), "a name that both Jinja and JavaScript take"
        assert isinstance(text, str)
        assert text.strip() == text != ""


@pytest.mark.parametrize("path", sources(), ids=lambda p: p.name)
def test_a_text_that_is_shown_exists(path: Path) -> None:
    missing = {(g, k) for g, k in uses(sources()[path]) if k not in GROUPS.get(g, {})}
    assert not missing


@pytest.mark.parametrize("group", GROUPS)
def test_a_text_that_exists_is_shown(group: str) -> None:
    assert not {key for key in GROUPS[group] if (group, key) not in used()}


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._on_key = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # What stands on a key of the keyboard is the same in every language.
        self._on_key = tag == "kbd"
        self.found += [value for name, value in attrs if name in _SPOKEN and value]

    def handle_endtag(self, tag: str) -> None:
        self._on_key = False

    def handle_data(self, data: str) -> None:
        if not self._on_key:
            self.found.append(data)


def english_in_template(template: str) -> list[str]:
    """What a page would say that is in no list of texts."""
    parser = _Texts()
    parser.feed(_JINJA.sub(" ", template))
    spoken = [text.strip() for text in parser.found if re.search(r"[A-Za-z]{2,}", text)]
    quoted = re.findall(r"[\"']([A-Z][a-z]+(?: [\w’']+)+[.!?]?)[\"']", " ".join(_JINJA.findall(template)))
    return spoken + quoted


def english_in_script(script: str) -> Iterator[str]:
    for _, literal in re.findall(r"([\"'`])((?:(?!\1)[^\\\n]|\\.)*)\1", code_of(script)):
        if re.match(r"[A-Z][a-z’']+(?: [A-Za-z’',]+)+[.!?:…]?$", literal):
            yield literal


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name)
def test_a_template_speaks_by_its_list_alone(path: Path) -> None:
    assert english_in_template(path.read_text()) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.name)
def test_a_script_speaks_by_its_list_alone(path: Path) -> None:
    assert list(english_in_script(path.read_text())) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.name)
def test_a_script_makes_no_html_from_texts(path: Path) -> None:
    """And none runs that is not in a file of its own."""
    assert not re.search(
        r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function)\b", code_of(path.read_text())
    )


def test_the_rules_see_what_they_should() -> None:
    assert english_in_template('<p title="Hello there">{{ t.a.b }}</p>') == ["Hello there"]
    assert english_in_template("<p>Hello {{ name }}</p>") == ["Hello"]
    assert english_in_template('<p>{{ x or "Nothing is here." }}</p>') == ["Nothing is here."]
    assert list(english_in_script('h("p", {}, "Nothing is here."); // "A comment is one"')) == ["Nothing is here."]
    assert uses("{{ t.shell.a }} ${t.media.b}") == {("shell", "a"), ("media", "b")}
    assert code_of('a("http://b"); // c\n/* d */e') == 'a("http://b"); \ne'

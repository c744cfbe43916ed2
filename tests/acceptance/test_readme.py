"""What README.md shows runs as it stands; and its links, commands and settings are there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from labelwright.cli.main import app
from labelwright.config import Settings
from tests.acceptance.conftest import TOKEN, USER, Start

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks() -> list[str]:
    """The Python of the README, in order."""
    return re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def filled_in(code: str, port: int, photo: Path) -> str:
    """The script with what a reader fills in; each of them stands there exactly once."""
    for shown, ours in (
        ('HOST, PORT = "127.0.0.1", 8080', f'HOST, PORT = "127.0.0.1", {port}'),
        ('USER, TOKEN = "owner", "the token that serve printed"', f"USER, TOKEN = {USER!r}, {TOKEN!r}"),
        ('PHOTO = "portrait.jpg"', f"PHOTO = {str(photo)!r}"),
    ):
        assert code.count(shown) == 1, shown
        code = code.replace(shown, ours)
    return code


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """The astronaut of the demo."""
    return Path(shutil.copy(str(files("skimage.data") / "astronaut.png"), tmp_path / "portrait.png"))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The script's names; its channel is closed at the end."""
    names: dict[str, Any] = {"__name__": "readme"}
    yield names
    if "channel" in names:
        names["channel"].close()


def test_the_tutorial_of_the_readme_labels_the_astronaut(
    running: Start, photo: Path, said: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    server = running().start()
    # One block after the other, as a reader pastes them; the names of one are there for the next.
    script = filled_in("\0".join(blocks()), server.port, photo)
    for number, block in enumerate(script.split("\0"), 1):
        exec(compile(block, f"README.md, Python block {number}", "exec"), said)

    (annotation,) = server.client("portraits").annotations()
    assert annotation.status.code == 24150
    assert annotation.input_id == said["added"].id
    assert (annotation.user_id, annotation.worker.user.id) == (USER, USER)
    (concept,) = annotation.data.concepts
    assert concept.id == "people"
    assert concept.value >= 0.5

    printed = capsys.readouterr().out.splitlines()
    # What the README says that the last two blocks print.
    assert printed[-2:] == re.findall(r"^    (Download complete|label \{.*\})$", README, re.MULTILINE)
    # The preview shows every node's model.
    assert [line.split()[0] for line in printed[:-2]] == [n.model.id for n in said["nodes"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_settings_and_commands_that_are_named_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    settings = {f"LABELWRIGHT_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"LABELWRIGHT_[A-Z_]+", text)) - {"LABELWRIGHT_"} <= settings
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    commands |= {group.name for group in app.registered_groups if group.name}
    assert set(re.findall(r"(?:`| {4}|/bin/)labelwright ([a-z]+)", text)) <= commands
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`| {4})make ([a-z]+)", text)) <= targets

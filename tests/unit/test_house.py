"""The rules of the house: who may import whom, what is documented, what is tested."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from labelwright.cli.main import app
from labelwright.cli.reference import pages
from labelwright.config import Settings
from labelwright.protocol.dispatch import served
from labelwright.protocol.methods import methods

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "labelwright"
DOCS = ROOT / "docs"
MODULES = sorted(SRC.rglob("*.py"))
RENEW = "renew it with `make docs`"

FOR_ALL = {"config": {"errors"}, "errors": set(), "ids": set(), "logs": set(), "metrics": set()}
"""Modules that every room may import, and which of each other they import themselves."""

ROOMS = (
    "store",
    "media",
    "operators",
    "models",
    "workflows",
    "annotator",
    "search",
    "training",
    "formats",
    "protocol",
    "review",
    "demo",
    "cli",
)
"""A room imports from itself and from the rooms before it."""

NEVER = {
    "media": {"store"},
    "operators": {"store", "media"},
    "workflows": {"store", "media"},
    "review": {"store"},
    # The demo is a client: it starts a server as a command, and talks to it as any client does.
    "demo": {"store", "operators", "models", "workflows", "annotator", "search", "training", "formats", "protocol"},
}
"""Rooms before it that a room does not import from all the same."""

PROTOBUF = {"google.protobuf", "clarifai_grpc", "grpc"}
INPUT_OUTPUT = {
    *("os", "io", "pathlib", "shutil", "tempfile", "socket", "ssl", "http", "urllib", "subprocess", "fsspec"),
    *("sqlite3", "sqlalchemy", "threading", "concurrent", "asyncio", "multiprocessing", "httpx", "requests"),
}
FOREIGN_NEVER = {
    "store": PROTOBUF,
    "media": PROTOBUF | {"sqlalchemy"},
    "operators": INPUT_OUTPUT,
    "workflows": INPUT_OUTPUT,
    # Pages and JSON: what calls mean is the protocol's business.
    "review": PROTOBUF | {"sqlalchemy"},
}
"""Packages of others that a room does not import."""

TYPES_OF_THE_STORE = {"Connection", "Row"}
"""What other rooms import of SQLAlchemy, beside its exceptions: a transaction and a row pass through their hands."""
MORE_OF_SQLALCHEMY = {"cli/serve.py": {"make_url"}}
"""To show the store's address without its password."""


CARRIED = {"pydantic_core": "pydantic", "threadpoolctl": "scikit-learn", "scipy": "scikit-learn"}
"""Modules of packages that another one always brings along, and is made of."""


@cache
def declared(*extras: str) -> set[str]:
    """The packages that pyproject.toml names: the default install's, and those of some extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    of_extras = [line for extra in extras for line in project["optional-dependencies"][extra]]
    return {canonical(re.split(r"[\[<>=!~ ]", line)[0]) for line in [*project["dependencies"], *of_extras]}


def canonical(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Every import of a module, inside functions too: module and name ("" for a whole module)."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            for alias in node.names:
                yield node.module or "", alias.name


def is_of(module: str, packages: set[str]) -> bool:
    return any(module == p or module.startswith(f"{p}.") for p in packages)


def room_of(path: Path) -> str:
    parts = path.relative_to(SRC).parts
    return parts[0].removesuffix(".py")


def rooms_imported(path: Path) -> set[str]:
    """The rooms of ours, or modules beside them, that a module imports from."""
    found = set()
    for module, name in imports(path):
        parts = module.split(".")
        if parts[0] == "labelwright":
            inner = parts[1] if len(parts) > 1 else name
            if (SRC / inner).is_dir() or (SRC / f"{inner}.py").is_file():
                found.add(inner)
    return found - {""}


def shown(path: Path) -> str:
    return str(path.relative_to(SRC))


@pytest.fixture(params=MODULES, ids=shown)
def module(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_every_room_has_its_place() -> None:
    folders = {p.name for p in SRC.iterdir() if p.is_dir() and list(p.glob("*.py"))}
    assert folders <= set(ROOMS), "a new room wants a row in ROOMS, and one in the documents"
    alone = {p.stem for p in SRC.glob("*.py")}
    assert alone == {*FOR_ALL, "__init__", "__main__"}


def test_a_room_imports_only_from_the_rooms_before_it(module: Path) -> None:
    room = room_of(module)
    if room in ROOMS:
        allowed = {*FOR_ALL, *ROOMS[: ROOMS.index(room) + 1]} - NEVER.get(room, set())
    else:
        allowed = {"__init__": set(), "__main__": {"cli"}, **FOR_ALL}[room]
    assert rooms_imported(module) <= allowed


def test_a_room_leaves_alone_the_packages_that_are_not_its_business(module: Path) -> None:
    forbidden = FOREIGN_NEVER.get(room_of(module), set())
    assert [m for m, _ in imports(module) if is_of(m, forbidden)] == []


@pytest.mark.parametrize("module", [m for m in MODULES if room_of(m) != "store"], ids=shown, indirect=True)
def test_sql_is_spoken_in_the_store_alone(module: Path) -> None:
    legal = TYPES_OF_THE_STORE | MORE_OF_SQLALCHEMY.get(module.relative_to(SRC).as_posix(), set())
    taken = [(m, name) for m, name in imports(module) if is_of(m, {"sqlalchemy", "alembic", "psycopg"})]
    assert [(m, name) for m, name in taken if m != "sqlalchemy.exc" and (m != "sqlalchemy" or name not in legal)] == []


def test_a_module_says_what_it_is_and_stays_small(module: Path) -> None:
    text = module.read_text()
    if text.strip():
        docstring = ast.get_docstring(tree(module))
        assert docstring
        assert docstring.splitlines()[0].endswith((".", ":"))
    assert len(text.splitlines()) <= 700
    assert "@@" not in text, "a placeholder was left"


# --- documents ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", pages())
def test_a_page_that_comes_from_the_code_is_up_to_date(page: str) -> None:
    assert (DOCS / page).read_text() == pages()[page], f"docs/{page} is out of date; {RENEW}"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_is_described_documented_and_read(name: str) -> None:
    field = Settings.model_fields[name]
    assert field.description
    assert field.description.endswith(".")
    assert f"| `{name}` | `LABELWRIGHT_{name.upper()}` |" in (DOCS / "settings.md").read_text()
    read = re.compile(rf"\b(?:_?settings|loaded|self)\.{name}\b")
    assert any(read.search(path.read_text()) for path in MODULES), "nothing reads it"


@pytest.mark.parametrize(
    "command", sorted(c.name or c.callback.__name__ for c in app.registered_commands if c.callback)
)
def test_a_command_is_documented(command: str) -> None:
    assert f"\n## {command}\n\n`labelwright {command}" in (DOCS / "commands.md").read_text()


@cache
def all_tests() -> str:
    files = (p for p in (ROOT / "tests").rglob("*.py") if "node_modules" not in p.parts)
    return "\n".join(p.read_text() for p in files)


@pytest.mark.parametrize("rpc", sorted(served()))
def test_an_rpc_that_is_served_is_documented_and_tested(rpc: str) -> None:
    assert f"\n| {rpc} | served | `" in (DOCS / "api.md").read_text()
    assert re.search(rf"\b{rpc}(?:Request)?\b", all_tests()), f"no test names {rpc}"


def test_the_page_of_the_rpcs_names_each_of_them_once() -> None:
    rows = re.findall(r"^\| (\w+) \| (served|not served) \| .+ \|$", (DOCS / "api.md").read_text(), re.MULTILINE)
    assert len(rows) == len(methods())
    assert {name for name, word in rows if word == "not served"} == set(methods()) - served()
    assert {name for name, word in rows if word == "served"} == served()


PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_between_the_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize(
    ("folder", "extras"),
    [("src/labelwright", ("demo",)), ("tests", ("demo", "test", "postgres")), ("benchmarks", ("demo", "test"))],
)
def test_what_is_imported_is_a_declared_dependency(folder: str, extras: tuple[str, ...]) -> None:
    """What only happens to be installed here is missing on the next machine."""
    files = [p for p in (ROOT / folder).rglob("*.py") if "node_modules" not in p.parts and "scripts" not in p.parts]
    own = {"labelwright", "tests", "_typeshed", *(p.stem for p in files)}
    foreign = {m.split(".")[0] for p in files for m, _ in imports(p)} - set(sys.stdlib_module_names) - own
    carried_by = packages_distributions()
    missing = {
        module
        for module in foreign
        if not {canonical(p) for p in [CARRIED.get(module, ""), *carried_by.get(module, [])]} & declared(*extras)
    }
    assert foreign
    assert not missing, "name their packages in pyproject.toml"


def test_the_rules_see_what_they_should(tmp_path: Path) -> None:
    """A rule that never fires is no rule: here is a module that breaks several."""
    bad = tmp_path / "bad.py"
    bad.write_text(
        "import os.path\nfrom labelwright import store\ndef f():\n    from labelwright.cli.main import app\n"
    )
    assert rooms_imported(bad) == {"store", "cli"}
    assert [m for m, _ in imports(bad) if is_of(m, INPUT_OUTPUT)] == ["os.path"]
    assert not is_of("iomodule", INPUT_OUTPUT)

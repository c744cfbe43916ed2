"""Keys and users by the commands, beside a running server, as whoever runs it does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2

from labelwright.cli import main
from tests.acceptance.conftest import TOKEN, USER, Running

pytestmark = pytest.mark.timeout(180)

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    started = Running(tmp_path_factory.mktemp("keys") / "home").start()
    started.client().make_app()
    yield started
    assert started.terminate() == 0
    assert "Traceback" not in started.log.read_text()
    started.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], server: Running) -> Command:
    """The command within this process, on the server's home: a process of its own costs a second each."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(os, "umask", lambda _mask: 0)

    def run(*args: str, home: Path | None = server.home) -> Any:
        full = ["labelwright", *args, *(["--home", str(home)] if home else [])]
        monkeypatch.setattr(sys, "argv", full)
        with pytest.raises(SystemExit) as ended:
            main.run()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(full, ended.value.code, said.out, said.err)  # type: ignore[arg-type]

    return run


def ran(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def refused(done: subprocess.CompletedProcess[str], *says: str) -> None:
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert all(s in done.stderr for s in says), done.stderr


def told(out: str, name: str) -> str:
    found = re.search(rf"^{name} +(.+)$", out, re.MULTILINE)
    assert found, out
    return found[1]


def code(server: Running, token: str, app: str = "app", rpc: str = "ListConcepts") -> int:
    """The status code of a call with a key."""
    at = resources_pb2.UserAppIDSet(user_id=USER if app else "", app_id=app)
    request = getattr(service_pb2, f"{rpc}Request")(user_app_id=at)
    stub = server.client().stub
    return int(getattr(stub, rpc)(request, metadata=(("authorization", f"Key {token}"),), timeout=60).status.code)


def soon(server: Running, token: str, wanted: int) -> None:
    """What another process changes, the server sees within a second."""
    until = time.monotonic() + 30
    while code(server, token) != wanted:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_key_is_made_used_changed_and_deleted_while_the_server_runs(server: Running, quick: Command) -> None:
    out = ran(quick("keys", "create", "--description", "my [laptop]", "--expires", "30d"))
    token, key_id = told(out, "key"), told(out, "id")
    assert out.count(token) == 1
    assert re.fullmatch("[0-9a-f]{32}", token)
    assert told(out, "may") == "All"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", told(out, "expires"))
    assert code(server, token) == 10000
    shown = ran(quick("keys", "list"))
    assert key_id in shown
    assert "my [laptop]" in shown
    assert token not in shown
    assert "the owner's first key" in shown
    ran(quick("keys", "patch", key_id, "--scope", "inputs:get", "--description", "reads"))
    soon(server, token, 11007)
    ran(quick("keys", "patch", token, "--endpoint", "ListConcepts"))
    soon(server, token, 10000)
    ran(quick("keys", "patch", key_id, "--expires", "now"))
    soon(server, token, 11008)
    assert "(expired)" in ran(quick("keys", "list", "--user", USER))
    assert key_id not in ran(quick("keys", "list", "--not-expired"))
    ran(quick("keys", "patch", key_id, "--expires", "never"))
    soon(server, token, 10000)
    assert key_id in ran(quick("keys", "delete", key_id))
    soon(server, token, 11009)
    refused(quick("keys", "delete", key_id), "no such key")
    assert code(server, TOKEN) == 10000


def test_a_key_of_one_app_needs_no_app_in_its_calls(server: Running, quick: Command) -> None:
    out = ran(quick("keys", "create", "--app", "app", "--scope", "Inputs_Add", "--endpoint", "ListConcepts"))
    assert told(out, "user") == f"{USER}, app {USER}/app"
    assert told(out, "may") == "Inputs_Add, Inputs_Get, /clarifai.api.V2/ListConcepts"
    assert code(server, told(out, "key"), app="") == 10000
    assert told(out, "id") in ran(quick("keys", "list", "--app", f"{USER}/app"))


def test_a_new_user_has_a_world_of_their_own(server: Running, quick: Command) -> None:
    out = ran(quick("users", "add", "ana", "--first-name", "Ana", "--last-name", "[red]Lovelace"))
    assert "labelwright keys create --user ana" in out
    token = told(ran(quick("keys", "create", "--user", "ana")), "key")
    assert code(server, token) == 11101
    assert code(server, token, app="", rpc="ListApps") == 10000
    listed = ran(quick("users", "list"))
    assert "Ana [red]Lovelace" in listed
    assert USER in listed
    assert "clarifai" not in listed
    refused(quick("users", "add", "ana"), "duplicate")
    refused(quick("keys", "create", "--user", "ana", "--app", f"{USER}/app"), "no collaborator")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("keys", "create", "--user", "nobody"), "users add"),
        (("keys", "create", "--user", "clarifai"), "no user"),
        (("keys", "create", "--app", "none"), "no app"),
        (("keys", "create", "--scope", "Input_Get"), "Inputs_Get"),
        (("keys", "create", "--endpoint", "GetInputt"), "GetInput"),
        (("keys", "create", "--app", "app", "--endpoint", "PostApps"), "personal access token"),
        (("keys", "create", "--expires", "2001-01-01"), "passed already"),
        (("keys", "create", "--expires", "now"), "passed already"),
        (("keys", "create", "--expires", "soon"), "30d"),
        (("keys", "create", "--description", "d" * 2000), "1024"),
        (("keys", "list", "--user", "nobody"), "no user"),
        (("keys", "list", "--app", "none"), "no app"),
        (("keys", "patch", "none", "--description", "x"), "no such key"),
        (("keys", "patch", "none"), "nothing to change"),
        (("users", "add", "me"), "meaning of its own"),
        (("users", "add", "two words"), "not legal"),
    ],
)
def test_mistakes_are_told_in_one_line(quick: Command, args: tuple[str, ...], says: str) -> None:
    refused(quick(*args), says)


def test_there_must_be_a_store(quick: Command, tmp_path: Path) -> None:
    refused(quick("keys", "list", home=tmp_path), "no store")
    refused(quick("users", "list", home=tmp_path), "no store")


@pytest.mark.parametrize("args", [("keys",), ("users",), ("keys", "create"), ("keys", "patch"), ("users", "add")])
def test_each_command_explains_itself(quick: Command, args: tuple[str, ...]) -> None:
    done = quick(*args, "--help", home=None)
    assert done.returncode == 0
    assert f"labelwright {' '.join(args)}" in done.stdout
    if len(args) == 2:
        assert "Example" in done.stdout


def test_an_owner_who_lost_every_key_gets_in_again(server: Running, quick: Command) -> None:
    """Last of all, since it takes the key that the others use."""
    ran(quick("keys", "delete", TOKEN))
    soon(server, TOKEN, 11008)
    assert code(server, told(ran(quick("keys", "create")), "key")) == 10000

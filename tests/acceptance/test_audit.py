"""An audit as a user makes one: labels by a workflow, a draw by the command, answers by HTTP, the alarm everywhere."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from labelwright.store import apps, tunings
from labelwright.store.engine import Store
from tests.acceptance.conftest import TOKEN, USER, Running, Session, command

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.timeout(240)

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    started = Running(tmp_path_factory.mktemp("audit") / "home").start()
    yield started
    assert started.terminate() == 0
    started.close()


@pytest.fixture(scope="module")
def session(server: Running) -> Session:
    """An app whose workflow has labelled 60 texts."""
    made = server.client("watched")
    made.make_app()
    made.odd_workflow()
    made.add_texts([f"text {i}" for i in range(60)])
    made.settle()
    return made


def audit(server: Running, *args: str) -> str:
    done = command("audit", *args, "--app", f"{USER}/watched", home=server.home)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ui(server: Running, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/ui/api/{USER}/watched/audit/{path}",
        data=None if body is None else json.dumps({"tab": "tab", **body}).encode(),
        headers={"authorization": f"Key {TOKEN}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        found: dict[str, Any] = json.load(reply)
        return found


def alarms(server: Running) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=30) as reply:
        found = re.search(r"^labelwright_audit_alarms (\S+)$", reply.read().decode(), re.MULTILINE)
    assert found
    return found[1]


def test_from_the_draw_to_the_alarm(server: Running, session: Session, labelwright: Command) -> None:
    assert "No audit has been drawn" in audit(server, "status")
    assert "No audit has been drawn" in audit(server, "list")
    said = audit(server, "draw", "--rate", "0.25")
    assert "15 of 60 auto-labels" in said
    assert f"/apps/{USER}/watched/audit" in said
    assert "15 of 45 auto-labels" in audit(server, "draw", "--n", "15", "--model", "odd")
    assert "drawn at" in audit(server, "list")
    before = json.loads(audit(server, "status", "--json"))
    assert (before["waiting"], before["alarms"]) == (30, 0)
    (thing,) = before["estimates"]
    assert (thing["concept"]["id"], thing["model"]["id"], thing["drawn"], thing["answered"]) == ("thing", "odd", 30, 0)

    # What the version promised when it was tuned.
    store = Store(f"sqlite:///{server.home / 'labelwright.db'}")
    with store.write() as conn:
        app = apps.get(conn, USER, "watched")
        assert app is not None
        target = {"error": 0.05, "confidence": 0.95, "joint": True}
        tunings.add(
            conn,
            app.pk,
            model_version_id=thing["model"]["version_id"],
            params=target,
            result={"target": target, "limits": [{"concept": None, "threshold": 0.5}]},
            made={"workflow": {}},
            user_id=USER,
        )
    store.close()

    items = ui(server, "take", {"n": 30})["items"]
    assert len(items) == 30
    verdicts = [{"item": i["item"], "verdict": "no" if n % 2 else "yes"} for n, i in enumerate(items[:20])]
    results = ui(server, "answer", {"action": "first", "verdicts": verdicts})["results"]
    assert {r["state"] for r in results} == {"done"}
    assert {round(r["score"], 3) for r in results} == {0.9}
    values = sorted(round(a.data.concepts[0].value, 2) for a in session.annotations())
    assert values == [0.0] * 10 + [0.9] * 40 + [1.0] * 10

    status = json.loads(audit(server, "status", "--json"))
    both = status["estimates"][0]
    assert (status["alarms"], both["concept"], both["wrong"], both["answered"]) == (1, None, 10, 20)
    assert ui(server, "status")["alarms"] == 1
    shown = audit(server, "status")
    assert "ALARM" in shown
    assert "10 of 20 audited auto-labels wrong" in shown
    assert "audit alarm" in server.log.read_text()
    # A scrape within the second before may have been kept.
    from tests.browser.conftest import wait_until

    wait_until(lambda: alarms(server) == "1.0")
    assert len(ui(server, "undo", {"action": "first"})["undone"]) == 20
    wait_until(lambda: alarms(server) == "0.0")
    assert sorted(round(a.data.concepts[0].value, 2) for a in session.annotations()) == [0.9] * 60
    assert "Traceback" not in server.log.read_text()


def test_what_can_not_be_done_is_one_clear_line(server: Running, session: Session) -> None:
    for args, part in (
        (("draw", "--app", session.app, "--model", "nobody"), "of a model 'nobody'; those that wrote some: odd"),
        (("draw", "--app", session.app, "--rate", "2"), "above 0 and at most 1"),
        (("status", "--app", "nowhere"), "no app 'nowhere'"),
    ):
        done = command("audit", *args, home=server.home)
        assert done.returncode == 1
        assert re.fullmatch(r"labelwright: [^\n]+\n", done.stderr), done.stderr
        assert part in done.stderr

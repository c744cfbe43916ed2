"""The audit page: blind questions answered by keyboard, and what becomes of the labels."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from playwright.sync_api import Page, Response, expect
from sqlalchemy import select

from labelwright.ids import new_id
from labelwright.store import annotations as annotation_rows
from labelwright.store import apps, draws, runs, tunings
from labelwright.store import concepts as concept_rows
from labelwright.store import tables as t
from labelwright.store.annotations import NewAnnotation, NewConcept
from labelwright.store.engine import Store
from tests.acceptance.conftest import USER, Running, Session, command
from tests.browser.conftest import People, app_path, wait_until
from tests.browser.some_review import SUCCESS, add_pictures, annotations_of
from tests.browser.test_session import serious

SCORE = 0.8765
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> {name}"


def with_store(server: Running, work: Any) -> Any:
    """What a server's store says, or what is done to it, in one transaction that writes."""
    store = Store(f"sqlite:///{server.home / 'labelwright.db'}")
    try:
        with store.write() as conn:
            return work(conn)
    finally:
        store.close()


def auto_labels(
    server: Running, session: Session, ids: list[str], concept: str = "dog", box: bool = False, name: str = ""
) -> None:
    """Let a model have labelled inputs."""
    data = b""
    if box:
        region = resources_pb2.Region(id="r")
        edges = region.region_info.bounding_box
        edges.top_row, edges.left_col, edges.bottom_row, edges.right_col = 0.1, 0.2, 0.6, 0.7
        data = resources_pb2.Data(regions=[region]).SerializeToString()

    def write(conn: Any) -> None:
        app = apps.get(conn, USER, session.app)
        assert app is not None
        key = concept_rows.ensure(conn, app.pk, {concept: name})[concept]
        pks = dict(conn.execute(select(t.inputs.c.id, t.inputs.c.pk).where(t.inputs.c.app == app.pk)).all())
        run = runs.ingest(conn, app.pk, "workflow-version")
        rows = [
            NewAnnotation(
                input=pks[i],
                user_id=USER,
                status_code=SUCCESS,
                origin=t.MODEL,
                wire=data,
                concepts=[NewConcept(key, SCORE, SCORE, 0 if box else -1)],
                model_version_id="a-version",
                run=run,
            )
            for i in ids
        ]
        annotation_rows.add(conn, app.pk, rows)

    with_store(server, write)


def draw(server: Running, session: Session, *more: str) -> None:
    done = command("audit", "draw", "--app", f"{USER}/{session.app}", "--rate", "1", *more, home=server.home)
    assert done.returncode == 0, done.stderr


def to_verify(server: Running, session: Session, ids: list[str], concept: str) -> None:
    def write(conn: Any) -> None:
        app = apps.get(conn, USER, session.app)
        assert app is not None
        pks = dict(conn.execute(select(t.inputs.c.id, t.inputs.c.pk).where(t.inputs.c.app == app.pk)).all())
        items = [draws.NewItem(pks[i], concept, "a-version", SCORE, 0.5) for i in ids]
        draws.draw(conn, app.pk, draws.VERIFY, items, user_id=USER, params={"exclusive": True})

    with_store(server, write)


def opened(page: Page, session: Session) -> Page:
    page.goto(app_path(session, "audit"))
    expect(page.locator("#rv")).to_have_attribute("data-state", "asking")
    return page


def settled(page: Page) -> None:
    """Until the server has all answers."""
    expect(page.locator("#rv-net")).to_have_attribute("data-state", "saved")
    wait_until(
        lambda: not page.evaluate("Object.keys(localStorage).some((key) => key.startsWith('labelwright.outbox/'))")
    )


def values(session: Session) -> list[float]:
    """The values of all labels of the app."""
    found: list[float] = []
    for a in annotations_of(session):
        concepts = [*a.data.concepts, *(c for r in a.data.regions for c in r.data.concepts)]
        found += [round(c.value, 4) for c in concepts]
    return sorted(found)


def test_ten_answers_by_keyboard_alone(page: Page, served: Running, api: Session) -> None:
    ids = add_pictures(api, 11)
    auto_labels(served, api, ids)
    draw(served, api)
    opened(page, api)
    expect(page.locator("#rv-concept")).to_have_text("dog")
    expect(page.locator("#au-ask")).to_have_text("Is this")
    for key in ["y", "n", "s", "y", "y", "n", "y", "y", "s", "y"]:
        page.keyboard.press(key)
    settled(page)
    assert values(api) == sorted([0.0] * 2 + [SCORE] * 3 + [1.0] * 6)
    page.keyboard.press("y")
    expect(page.locator("#rv")).to_have_attribute("data-state", "empty")
    expect(page.locator(".rv-idle")).to_contain_text("Nothing is left to answer")
    # 2 of 9 were wrong.
    expect(page.locator(".rv-idle tbody tr").first).to_contain_text("22 %")


def test_nothing_tells_the_score_before_the_answer(page: Page, served: Running, api: Session) -> None:
    ids = add_pictures(api, 3)
    auto_labels(served, api, ids, box=True)
    draw(served, api)
    told: dict[str, str] = {}

    def note(reply: Response) -> None:
        if "/ui/api/" in reply.url or "/v2/" in reply.url:
            told[reply.url.partition("?")[0].rsplit("/", 1)[-1]] = reply.text()

    page.on("response", note)
    opened(page, api)
    expect(page.locator(".stage-boxes .box")).to_have_count(1)
    page.wait_for_timeout(300)
    assert {"take", "status"} <= told.keys()
    for word in ("0.87", "0.88", "88 %", '"score"'):
        assert word not in page.content() + "".join(told.values())
    # The audit's sums name versions; what is asked does not.
    for word in ("a-version", "automatic", "origin", str(SUCCESS)):
        assert word not in page.locator("#rv").inner_text() + told["take"]
    page.remove_listener("response", note)
    # Afterwards it is told.
    page.keyboard.press("n")
    settled(page)
    page.locator(".rv-done-show").first.click()
    expect(page.locator("#rv-decided-text")).to_contain_text("0.876")
    page.keyboard.press("Escape")
    expect(page.locator("#rv")).to_have_attribute("data-state", "asking")
    expect(page.locator("#rv-decided")).to_be_hidden()


def test_undo_and_what_it_is_instead(page: Page, served: Running, api: Session) -> None:
    ids = add_pictures(api, 2)
    auto_labels(served, api, ids)
    draw(served, api)
    opened(page, api)
    page.keyboard.press("n")
    settled(page)
    assert values(api) == [0.0, SCORE]
    page.keyboard.press("Backspace")
    settled(page)
    wait_until(lambda: values(api) == [SCORE, SCORE])
    page.keyboard.press("c")
    page.keyboard.type("wolf")
    page.keyboard.press("Enter")
    settled(page)
    assert values(api) == [0.0, SCORE, 1.0]
    names = {c.id: c.value for a in annotations_of(api) for c in a.data.concepts if c.value in (0.0, 1.0)}
    assert names == {"dog": 0.0, "wolf": 1.0}
    # What an earlier visit said can be taken back too.
    page.reload()
    expect(page.locator("#rv")).to_have_attribute("data-state", "asking")
    page.keyboard.press("Control+z")
    wait_until(lambda: values(api) == [SCORE, SCORE])


def test_which_of_these_is_it(page: Page, served: Running, api: Session) -> None:
    ids = add_pictures(api, 3)
    named = [resources_pb2.Concept(id=i) for i in ("ape", "bee", "cow")]
    api.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=named))
    to_verify(served, api, ids, "bee")
    opened(page, api)
    expect(page.locator("#rv-concept")).to_have_text("Which of these is it?")
    expect(page.locator("#au-choices li")).to_have_text(["1ape", "2bee", "3cow"])
    expect(page.locator('[data-action="yes"]')).to_be_hidden()
    # Yes answers nothing here.
    page.keyboard.press("y")
    page.keyboard.press("2")
    page.locator("#au-choices button").nth(2).click()
    page.keyboard.press("n")
    settled(page)

    def answers(conn: Any) -> list[Any]:
        app = apps.get(conn, USER, api.app)
        assert app is not None
        return [(i.answer, i.said["concept"]) for i in draws.answers(conn, app.pk)]

    assert with_store(served, answers) == [(draws.RIGHT, "bee"), (draws.WRONG, "cow"), (draws.WRONG, None)]


def test_two_people_at_once(people: People, served: Running, api: Session) -> None:
    ids = add_pictures(api, 30)
    auto_labels(served, api, ids)
    draw(served, api)
    one, two = people.signed_in(served), people.signed_in(served)
    opened(one, api)
    opened(two, api)
    for _ in range(5):
        one.keyboard.press("y")
        two.keyboard.press("n")
    settled(one)
    settled(two)
    assert values(api) == sorted([0.0] * 5 + [1.0] * 5 + [SCORE] * 20)


def test_an_alarm_is_seen_on_both_pages(page: Page, served: Running, api: Session) -> None:
    ids = add_pictures(api, 12)
    concept = f"dog-{new_id()[-6:]}"
    auto_labels(served, api, ids, concept=concept, name=HOSTILE)

    def tuned(conn: Any) -> None:
        app = apps.get(conn, USER, api.app)
        assert app is not None
        target = {"error": 0.05, "confidence": 0.95, "joint": False}
        result = {"target": target, "limits": [{"concept": concept, "threshold": 0.5}]}
        tunings.add(conn, app.pk, model_version_id="a-version", params=target, result=result, made={}, user_id=USER)

    with_store(served, tuned)
    draw(served, api)
    opened(page, api)
    expect(page.locator("#rv-concept")).to_have_text(HOSTILE)
    for _ in range(11):
        page.keyboard.press("n")
    expect(page.locator(".au-alarm")).to_contain_text("More mistakes among the automatic labels than was promised")
    page.locator("#au-results-box summary").click()
    expect(page.locator("#au-results tr.alarm")).to_contain_text("broken")
    assert serious(page) == []
    settled(page)
    page.goto(app_path(api))
    expect(page.locator(".au-alarm")).to_contain_text("100 %")
    assert serious(page) == []
    page.locator(".au-alarm a").click()
    expect(page.locator("#rv")).to_have_attribute("data-state", "asking")
    assert page.title() != "owned"


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_for_everybody(people: People, served: Running, api: Session, dark: bool) -> None:
    page = people.signed_in(served, dark=dark)
    page.goto(app_path(api, "audit"))
    expect(page.locator("#rv")).to_have_attribute("data-state", "empty")
    assert serious(page) == []
    # Nothing is there to draw from.
    page.get_by_role("button", name="Draw").click()
    expect(page.locator("#toasts")).to_contain_text("no automatic label")
    ids = add_pictures(api, 3)
    auto_labels(served, api, ids)
    page.get_by_label("Share to draw").select_option("1")
    page.get_by_role("button", name="Draw").click()
    expect(page.locator("#rv")).to_have_attribute("data-state", "asking")
    assert serious(page) == []
    to_verify(served, api, ids[:1], "dog")
    for _ in range(3):
        page.keyboard.press("y")
    expect(page.locator("#au-choices")).to_be_visible()
    assert serious(page) == []

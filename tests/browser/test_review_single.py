"""One item, one question, one key: as a person does it, and as the API tells of it."""

from __future__ import annotations

import re

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from playwright.sync_api import Page, expect

from tests.acceptance.conftest import Running, Session
from tests.browser.conftest import People, app_path, wait_until
from tests.browser.some_review import (
    FLAGGED,
    PENDING,
    SUCCESS,
    add_pictures,
    annotations_of,
    post,
    queue_of,
    verdicts,
    waiting,
)
from tests.browser.test_session import serious

HOSTILE = "<img src=x onerror=\"document.title='owned'\"> {name} ${1} 'quoted'"


def opened(page: Page, session: Session, query: str = "", path: str = "review") -> Page:
    """The page, once something is in question."""
    page.goto(app_path(session, path) + query)
    expect(page.locator("#rv")).to_have_attribute("data-state", "asking")
    return page


def left(page: Page) -> str:
    return page.locator(".rv-figures div").nth(2).locator("dd").first.inner_text()


def settled(page: Page) -> None:
    """Until the server has all verdicts."""
    expect(page.locator("#rv-net")).to_have_attribute("data-state", "saved")
    # Not page.wait_for_function: the page's policy allows no code from strings.
    wait_until(
        lambda: not page.evaluate("Object.keys(localStorage).some((key) => key.startsWith('labelwright.outbox/'))")
    )


def shown(page: Page) -> str:
    """The id of the input in question."""
    return (page.locator("#rv-edit").get_attribute("href") or "").rsplit("/", 1)[-1]


def test_twenty_items_by_keyboard_alone(page: Page, api: Session) -> None:
    ids = queue_of(api, 22)
    opened(page, api)
    expect(page.locator("#rv-concept")).to_have_text("dog")
    pressed: dict[str, str] = {}
    for key, verdict in [("a", "accept"), ("x", "reject"), ("f", "flag"), ("Space", "wait")] * 5:
        pressed[shown(page)] = verdict
        page.keyboard.press(key)
    settled(page)
    assert list(pressed) == ids[:20]
    assert verdicts(api) == pressed | dict.fromkeys(ids[20:], "wait")


def test_undo_brings_back_what_was_decided_last(page: Page, api: Session) -> None:
    ids = queue_of(api, 4)
    opened(page, api)
    page.keyboard.press("a")
    page.keyboard.press("x")
    settled(page)
    assert shown(page) == ids[2]
    page.keyboard.press("Backspace")
    assert shown(page) == ids[1]
    page.keyboard.press("Control+z")
    assert shown(page) == ids[0]
    settled(page)
    wait_until(lambda: set(verdicts(api).values()) == {"wait"})
    page.keyboard.press("x")
    page.keyboard.press("a")
    settled(page)
    assert verdicts(api) == {ids[0]: "reject", ids[1]: "accept", ids[2]: "wait", ids[3]: "wait"}


def test_an_earlier_decision_is_seen_again_and_changed(page: Page, api: Session) -> None:
    ids = queue_of(api, 4)
    opened(page, api)
    for _ in range(3):
        page.keyboard.press("a")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#rv")).to_have_attribute("data-state", "looking")
    assert shown(page) == ids[1]
    page.keyboard.press("x")
    settled(page)
    assert verdicts(api)[ids[1]] == "reject"
    assert shown(page) == ids[3]
    page.locator(".rv-done").last.hover()
    page.locator(".rv-done-undo").last.click()
    settled(page)
    assert shown(page) == ids[0]
    assert verdicts(api)[ids[0]] == "wait"


def test_the_concepts_of_an_input_are_chosen_by_digits_and_relabelled(page: Page, api: Session) -> None:
    [one] = add_pictures(api, 1)
    post(api, [waiting(one, [("cat", 0.5), ("dog", 0.7)]), waiting(one, [("fox", 0.8)], (0.1, 0.2, 0.6, 0.7))])
    opened(page, api)
    expect(page.locator("#rv-others li")).to_have_count(2)
    page.keyboard.press("2")
    chosen = page.locator("#rv-concept").text_content()
    assert chosen in ("dog", "fox")
    page.keyboard.press("c")
    page.keyboard.type("wolf")
    page.keyboard.press("Enter")
    expect(page.locator("#rv-others li")).to_have_count(1)
    settled(page)
    names = {
        (c.id, c.value >= 0.5, a.status.code)
        for a in annotations_of(api)
        for c in [*a.data.concepts, *(c for r in a.data.regions for c in r.data.concepts)]
    }
    assert ("wolf", True, SUCCESS) in names
    assert (chosen, False, SUCCESS) in names
    assert ("cat", True, PENDING) in names


def test_the_address_holds_order_and_filters(page: Page, api: Session) -> None:
    ids = add_pictures(api, 6)
    post(api, [waiting(id_, [(("cat", "dog")[i % 2], 0.4 + 0.1 * i)]) for i, id_ in enumerate(ids)])
    opened(page, api)
    at = page.locator("#rv-edit")
    page.select_option("[data-filter=order]", "confident")
    expect(at).to_have_attribute("href", re.compile(ids[5]))
    page.click("details[data-filter=concept] summary")
    page.locator(".rv-menu-list label", has_text="cat").locator("input").check()
    expect(at).to_have_attribute("href", re.compile(ids[4]))
    assert "order=confident" in page.url
    assert "concept=cat" in page.url
    page.reload()
    expect(at).to_have_attribute("href", re.compile(ids[4]))
    expect(page.locator("[data-filter=order]")).to_have_value("confident")
    page.goto(app_path(api, "review") + "?min=0.45&max=0.65&order=confident")
    expect(at).to_have_attribute("href", re.compile(ids[2]))
    page.keyboard.press("a")
    expect(at).to_have_attribute("href", re.compile(ids[1]))
    page.keyboard.press("a")
    expect(page.locator(".rv-idle")).to_contain_text("Your filters show nothing more; 4 items wait outside of them.")
    page.get_by_role("button", name="Show everything").click()
    expect(page.locator("#rv")).to_have_attribute("data-state", "asking")


def test_texts_show_what_the_model_said(page: Page, odd_app: Session) -> None:
    odd_app.add_texts([f"the text number {i} score=0.{i + 1}" for i in range(4)])
    odd_app.settle()
    opened(page, odd_app)
    expect(page.locator("#rv-score-number")).to_have_text("0.400")
    expect(page.locator("#rv-model")).to_contain_text("odd")
    expect(page.locator("#rv-media .spans-text")).to_contain_text("the text number 3")
    page.keyboard.press("a")
    expect(page.locator("#rv-score-number")).to_have_text("0.300")
    expect(page.locator("#rv-media .spans-text")).to_contain_text("the text number 2")
    page.get_by_label("Highest score").focus()
    for _ in range(85):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("#rv-score-number")).to_have_text("0.100")
    assert "max=0.15" in page.url


def test_an_empty_queue_says_what_next(page: Page, api: Session) -> None:
    ids = queue_of(api, 2)
    opened(page, api)
    page.keyboard.press("Space")
    page.keyboard.press("Space")
    page.get_by_role("button", name="Go through the skipped ones").click()
    expect(page.locator("#rv")).to_have_attribute("data-state", "asking")
    page.keyboard.press("f")
    expect(page.locator("#rv-others-box")).to_be_hidden()
    page.keyboard.press("a")
    settled(page)
    assert sorted(verdicts(api).values()) == ["accept", "flag"]
    page.get_by_role("button", name=re.compile("flagged ones")).click()
    expect(page.locator("#rv-flagged")).to_be_visible()
    page.keyboard.press("x")
    settled(page)
    assert set(verdicts(api)) == set(ids)
    assert sorted(verdicts(api).values()) == ["accept", "reject"]


def test_names_are_texts_however_hostile(page: Page, api: Session) -> None:
    [one, two] = add_pictures(api, 2)
    named = waiting(one, [("hostile", 0.5)], (0.1, 0.1, 0.5, 0.5))
    concept = resources_pb2.Concept(id="hostile", name=HOSTILE)
    api.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=[concept]))
    post(api, [named, waiting(two, [("hostile", 0.6)])])
    opened(page, api)
    expect(page.locator("#rv-concept")).to_have_text(HOSTILE)
    page.keyboard.press("a")
    expect(page.locator(".rv-done-name")).to_have_text(HOSTILE)
    page.keyboard.press("h")
    page.keyboard.press("c")
    expect(page.locator("dialog[open]")).to_contain_text("onerror")
    page.keyboard.press("Escape")
    opened(page, api, "?concept=hostile")
    expect(page.locator("details[data-filter=concept] summary")).to_have_text(HOSTILE)
    assert page.locator("#rv img[src=x], dialog img[src=x]").count() == 0
    assert "owned" not in page.title()


def test_two_people_never_see_the_same_item(people: People, served: Running, api: Session) -> None:
    ids = queue_of(api, 30)
    first, second = people.signed_in(served), people.signed_in(served)
    opened(first, api)
    opened(second, api)
    seen: dict[Page, list[str]] = {first: [], second: []}
    for page in (first, second, second, first):
        seen[page].append(shown(page))
        page.keyboard.press("a")
    assert not set(seen[first]) & set(seen[second])
    settled(first)
    settled(second)
    # What one did, the other hears of.
    expect(first.locator(".rv-figures div").nth(1).locator("dd").first).to_have_text("4")
    assert sum(v == "accept" for v in verdicts(api).values()) == 4
    assert len(ids) == 30


def test_who_came_too_late_is_told_by_whom(people: People, served: Running, api: Session) -> None:
    ids = queue_of(api, 3)
    page = opened(people.signed_in(served), api)
    other = people.signed_in(served)
    other.goto(app_path(api, "review"))
    item = page.evaluate(
        """async (path) => {
          const csrf = document.querySelector('meta[name=csrf]').content;
          const ask = (what, body) => fetch(path + what, {method: 'POST', body: JSON.stringify(body),
            headers: {'content-type': 'application/json', 'x-labelwright-csrf': csrf}}).then((r) => r.json());
          await ask('review/release', {tab: 'another'});
          const list = await (await fetch(path.replace('/ui/api/', '/v2/users/').replace(/\\/([^/]+)\\/$/, '/apps/$1/')
            + 'annotations?per_page=10&statuses.code=24151&list_all_annotations=true')).json();
          const shown = document.querySelector('#rv-edit').href.split('/').pop();
          const found = list.annotations.find((a) => a.input_id === shown);
          const item = found.id + '.0';
          return (await ask('review/verdicts', {tab: 'another', action: 'theirs',
            verdicts: [{item, concept_id: 'dog', verdict: 'reject'}]})).results[0].state;
        }""",
        f"/ui/api/tester/{api.app}/",
    )
    assert item == "done"
    page.keyboard.press("a")
    expect(page.locator(".toast")).to_contain_text("was decided by tester meanwhile")
    assert verdicts(api)[ids[0]] == "reject"


def test_a_server_that_restarts_loses_no_verdict(people: People, own_server: Running) -> None:
    people.ignored = ("Failed to load resource", "net::ERR", "WebSocket")
    session = own_server.client("restarted")
    session.make_app()
    ids = queue_of(session, 12)
    page = opened(people.signed_in(own_server), session)
    page.keyboard.press("a")
    settled(page)
    expect(page.locator(".rv-figures div").nth(2).locator("dd").first).to_have_text("11")
    page.wait_for_timeout(500)
    own_server.kill_everything()
    for _ in range(3):
        page.keyboard.press("x")
    expect(page.locator("#rv-net")).to_contain_text("3 verdicts wait for the connection")
    # The page goes, and what was decided lies in the browser's store.
    page.keyboard.press("a")
    expect(page.locator("#rv-net")).to_contain_text("4 verdicts wait")
    own_server.start()
    page.reload()
    expect(page.locator("#rv")).to_have_attribute("data-state", "asking")
    settled(page)
    after = verdicts(session)
    assert [after[i] for i in ids[:6]] == ["accept", "reject", "reject", "reject", "accept", "wait"]
    page.keyboard.press("a")
    settled(page)


def test_keys_are_changed_and_conflicts_refused(page: Page, api: Session) -> None:
    queue_of(api, 3)
    opened(page, api)
    accept = page.locator(".rv-verdicts [data-action=accept]")
    expect(accept.locator("kbd")).to_have_text("A")
    page.keyboard.press("?")
    dialog = page.locator("dialog.rv-keys")
    dialog.locator("[data-of=accept]").click()
    page.keyboard.press("x")
    expect(dialog.locator(".rv-keys-said")).to_contain_text("the key of “Reject” already")
    dialog.locator("[data-of=accept]").click()
    page.keyboard.press("3")
    expect(dialog.locator(".rv-keys-said")).to_contain_text("can’t be given away")
    dialog.locator("[data-of=accept]").click()
    page.keyboard.press("y")
    expect(accept.locator("kbd")).to_have_text("Y")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("a")
    expect(page.locator(".rv-done")).to_have_count(0)
    page.keyboard.press("y")
    expect(page.locator(".rv-done.accept")).to_have_count(1)
    opened(page, api)
    expect(accept.locator("kbd")).to_have_text("Y")
    assert accept.get_attribute("aria-keyshortcuts") == "Y"


def test_the_history_tells_who_and_what_it_was_and_undoes(page: Page, api: Session) -> None:
    [one] = add_pictures(api, 1)
    post(api, [waiting(one, [("cat", 0.5)]), waiting(one, [("dog", 0.7)])])
    opened(page, api)
    page.keyboard.press("a")
    page.keyboard.press("h")
    row = page.locator(".rv-history li", has_text="accepted")
    expect(row).to_contain_text("tester accepted cat")
    expect(row).to_contain_text("before: waiting")
    settled(page)
    row.locator("button").click()
    expect(page.locator(".rv-history li.undone")).to_contain_text("undone by tester")
    assert verdicts(api)[one] == "wait"


@pytest.mark.parametrize(("dx", "dy", "verdict"), [(180, 4, "accept"), (-180, -6, "reject"), (3, -190, "skip")])
def test_a_finger_decides(page: Page, api: Session, dx: int, dy: int, verdict: str) -> None:
    queue_of(api, 2)
    opened(page, api)
    page.evaluate(
        """([dx, dy]) => {
          const surface = document.querySelector('#rv-media .stage-ground');
          const at = surface.getBoundingClientRect(), x = at.x + at.width / 2, y = at.y + at.height / 2;
          const send = (type, x, y) => surface.dispatchEvent(new PointerEvent(type,
            {pointerId: 7, pointerType: 'touch', isPrimary: true, bubbles: true, clientX: x, clientY: y}));
          surface.setPointerCapture = () => {};
          send('pointerdown', x, y);
          send('pointermove', x + dx / 2, y + dy / 2);
          send('pointerup', x + dx, y + dy);
        }""",
        [dx, dy],
    )
    expect(page.locator(f".rv-done.{verdict}")).to_have_count(1)


def test_a_click_leaves_the_keys_to_the_queue(page: Page, api: Session) -> None:
    queue_of(api, 4)
    opened(page, api)
    page.locator(".rv-verdicts [data-action=accept]").click()
    page.keyboard.press("Space")
    expect(page.locator(".rv-done.accept")).to_have_count(1)
    expect(page.locator(".rv-done.skip")).to_have_count(1)
    page.locator("#rv-media .stage-ground").click()
    page.keyboard.press("Space")
    expect(page.locator(".rv-done.skip")).to_have_count(2)


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_serious(people: People, served: Running, api: Session, dark: bool) -> None:
    [one, two] = add_pictures(api, 2)
    post(api, [waiting(one, [("cat", 0.5), ("dog", 0.7)], (0.1, 0.1, 0.6, 0.6)), waiting(two, [("cat", 0.6)])])
    page = opened(people.signed_in(served, dark=dark), api)
    page.keyboard.press("f")
    page.keyboard.press("h")
    expect(page.locator(".rv-history li")).not_to_have_count(0)
    assert serious(page) == []
    page.keyboard.press("?")
    assert serious(page) == []
    assert {a.status.code for a in annotations_of(api)} == {FLAGGED, PENDING}

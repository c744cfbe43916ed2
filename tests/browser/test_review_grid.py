"""Many items of one concept side by side: marked first, committed then."""

from __future__ import annotations

from collections import Counter

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from playwright.sync_api import Page, expect

from tests.acceptance.conftest import Running, Session
from tests.browser.conftest import People, app_path, wait_until
from tests.browser.some_review import add_pictures, post, queue_of, verdicts, waiting
from tests.browser.test_review_single import HOSTILE, settled
from tests.browser.test_session import serious


def opened(page: Page, session: Session, n: int, query: str = "?concept=dog") -> Page:
    """The page, once ``n`` cells are there."""
    page.goto(app_path(session, "review/grid") + query)
    expect(page.locator(".rv-cell")).to_have_count(n)
    return page


def cell(page: Page, n: int) -> tuple[float, float]:
    """The middle of a cell."""
    box = page.locator(".rv-cell").nth(n).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_fifty_are_accepted_at_once_and_undone_at_once(page: Page, api: Session) -> None:
    ids = queue_of(api, 60)
    opened(page, api, 50)
    page.get_by_role("button", name="Accept rest").click()
    expect(page.locator(".rv-cell[data-mark=accept]")).to_have_count(50)
    assert set(verdicts(api).values()) == {"wait"}
    page.get_by_role("button", name="Commit 50").click()
    settled(page)
    # The page goes on with those that are left.
    expect(page.locator(".rv-cell")).to_have_count(10)
    assert Counter(verdicts(api).values()) == {"accept": 50, "wait": 10}
    page.keyboard.press("Control+z")
    expect(page.locator(".rv-cell")).to_have_count(50)
    settled(page)
    wait_until(lambda: set(verdicts(api).values()) == {"wait"})
    assert len(ids) == 60
    # As they were marked: one of them was wrong, not all.
    page.locator(".rv-cell").nth(3).click()
    page.keyboard.press("x")
    page.get_by_role("button", name="Commit 50").click()
    settled(page)
    assert Counter(verdicts(api).values()) == {"accept": 49, "reject": 1, "wait": 10}


def test_cells_are_chosen_by_click_range_and_rectangle(page: Page, api: Session) -> None:
    queue_of(api, 24)
    opened(page, api, 24)
    chosen = page.locator(".rv-cell[aria-selected=true]")
    page.locator(".rv-cell").nth(2).click()
    expect(chosen).to_have_count(1)
    page.locator(".rv-cell").nth(5).click(modifiers=["Shift"])
    expect(chosen).to_have_count(4)
    page.locator(".rv-cell").nth(3).click()
    expect(chosen).to_have_count(3)
    page.keyboard.press("Escape")
    expect(chosen).to_have_count(0)
    page.mouse.move(*cell(page, 0))
    page.mouse.down()
    page.mouse.move(*cell(page, 1), steps=4)
    page.mouse.move(*cell(page, 2), steps=4)
    page.mouse.up()
    expect(chosen).to_have_count(3)
    page.keyboard.press("x")
    expect(page.locator(".rv-cell[data-mark=reject]")).to_have_count(3)
    expect(chosen).to_have_count(0)


def test_the_keyboard_does_it_all(page: Page, api: Session) -> None:
    ids = queue_of(api, 12)
    opened(page, api, 12)
    for key in ("ArrowRight", "ArrowRight", "Space", "ArrowRight", "Space", "x"):
        page.keyboard.press(key)
    expect(page.locator(".rv-cell[data-mark=reject]")).to_have_count(2)
    page.keyboard.press("Home")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#rv-selected")).to_have_text("2 selected")
    page.keyboard.press("a")
    expect(page.locator(".rv-cell").first).to_have_attribute("aria-label", "dog, score no score, marked to accept")
    page.keyboard.press("u")
    expect(page.locator(".rv-cell[data-mark]")).to_have_count(0)
    page.keyboard.press("End")
    page.keyboard.press("a")
    page.keyboard.press("Control+Enter")
    settled(page)
    assert verdicts(api) == dict.fromkeys(ids, "wait") | {ids[-1]: "accept"}
    page.keyboard.press("n")
    expect(page.locator("#rv-idle")).to_contain_text("You skipped 11.")
    page.keyboard.press("Backspace")
    settled(page)
    expect(page.locator(".rv-cell")).to_have_count(1)


def test_the_score_slider_and_the_page_size_stand_in_the_address(page: Page, odd_app: Session) -> None:
    odd_app.add_texts([f"text {i} score=0.{10 + i}" for i in range(30)])
    odd_app.settle()
    opened(page, odd_app, 30, "")
    assert "concept=thing" in page.url
    page.get_by_label("Lowest score").focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".rv-cell")).to_have_count(20)
    assert "min=0.2" in page.url
    page.select_option("#rv-size", "25")
    assert "n=25" in page.url
    opened(page, odd_app, 20, page.url.partition("grid")[2])
    opened(page, odd_app, 25, "?concept=thing&n=25")
    page.keyboard.press("Shift+X")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".rv-cell")).to_have_count(5)
    settled(page)
    assert Counter(verdicts(odd_app).values()) == {"reject": 25, "wait": 5}


def test_crops_show_the_region_alone(page: Page, api: Session) -> None:
    ids = add_pictures(api, 3)
    post(api, [waiting(id_, [("cup", 0.5)], (0.25, 0.25, 0.5, 0.5)) for id_ in ids])
    opened(page, api, 3, "?concept=cup")
    expect(page.locator(".rv-cell canvas:not(.whole)")).to_have_count(3)
    crop = page.evaluate(
        """() => [...document.querySelectorAll('.rv-cell canvas')].map((c) =>
          [...c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data].slice(0, 3))"""
    )
    # The pictures' colours: each cell has its own input's.
    expected = {((37 * n) % 256, (91 * n + 60) % 256, (53 * n + 120) % 256) for n in range(3)}
    for got in crop:
        assert min(max(abs(a - b) for a, b in zip(got, want, strict=True)) for want in expected) < 12


def test_two_people_have_pages_of_their_own(people: People, served: Running, api: Session) -> None:
    queue_of(api, 40)
    first, second = people.signed_in(served), people.signed_in(served)
    opened(first, api, 25, "?concept=dog&n=25")
    opened(second, api, 15, "?concept=dog&n=25")
    for page in (first, second):
        page.keyboard.press("Shift+A")
        page.keyboard.press("Control+Enter")
        settled(page)
    assert Counter(verdicts(api).values()) == {"accept": 40}
    expect(first.locator("#rv-idle")).to_contain_text("Nothing is left to review")


def test_names_are_texts_however_hostile(page: Page, api: Session) -> None:
    [one] = add_pictures(api, 1)
    concept = resources_pb2.Concept(id="hostile", name=HOSTILE)
    api.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=[concept]))
    post(api, [waiting(one, [("hostile", 0.5)])])
    opened(page, api, 1, "?concept=hostile")
    expect(page.locator("#rv-grid-concept")).to_have_text(HOSTILE)
    assert page.locator("#rv img[src=x]").count() == 0
    assert "owned" not in page.title()


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_serious(people: People, served: Running, api: Session, dark: bool) -> None:
    queue_of(api, 6)
    page = opened(people.signed_in(served, dark=dark), api, 6)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("a")
    page.keyboard.press("Space")
    expect(page.locator(".rv-cell[data-mark]")).to_have_count(1)
    assert serious(page) == []


def test_the_score_stands_in_the_picture(page: Page, api: Session) -> None:
    """Pictures of 96 x 72 leave an eighth of their square cell free above, and one below."""
    queue_of(api, 2)
    opened(page, api, 2)
    page.locator(".rv-cell canvas.whole").nth(1).wait_for()
    cell_box = page.locator(".rv-cell").nth(1).bounding_box()
    score = page.locator(".rv-cell-score").nth(1).bounding_box()
    assert cell_box is not None
    assert score is not None
    picture_ends = cell_box["y"] + cell_box["height"] * 7 / 8
    assert picture_ends - 12 < score["y"] + score["height"] < picture_ends
    right = cell_box["x"] + cell_box["width"]
    assert right - 12 < score["x"] + score["width"] < right
    page.locator(".rv-cell").nth(1).click()
    page.keyboard.press("x")
    marked = page.locator(".rv-cell-mark").bounding_box()
    assert marked is not None
    picture_begins = cell_box["y"] + cell_box["height"] / 8
    assert picture_begins < marked["y"] < picture_begins + 12

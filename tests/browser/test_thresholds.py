"""Moving a threshold along the histogram, by keyboard and by mouse: what it would do, applying it, taking it back."""

from __future__ import annotations

import re
from typing import Any

from clarifai_grpc.grpc.api import service_pb2
from playwright.sync_api import Locator, Page, expect

from tests.acceptance.conftest import Running, Session
from tests.browser.conftest import People, app_path
from tests.browser.test_overview import scored
from tests.browser.test_session import serious


def handle(page: Page) -> Locator:
    return page.get_by_role("slider", name="Threshold of thing")


def figure(page: Page, name: str) -> Locator:
    return page.locator(f"[data-figure={name}]")


def in_force(session: Session) -> set[float]:
    """The thresholds of both ways, as the default workflow's newest version has them."""
    flows = session.call("ListWorkflows", service_pb2.ListWorkflowsRequest()).workflows
    found = set()
    for node in flows[0].nodes:
        if node.id in ("above", "below"):
            version: Any = session.call(
                "GetModelVersion",
                service_pb2.GetModelVersionRequest(model_id=node.model.id, version_id=node.model.model_version.id),
            ).model_version
            found |= {round(c.value, 6) for c in version.output_info.data.concepts}
    return found


def test_a_threshold_is_moved_by_keyboard_applied_and_taken_back(page: Page, odd_app: Session) -> None:
    scored(odd_app, 0.95, 0.91, 0.62, 0.31)
    page.goto(app_path(odd_app, "workflow"))
    slider = handle(page)
    expect(slider).to_have_attribute("aria-valuenow", "0.5")
    expect(figure(page, "coverage")).to_have_text("75 %")
    expect(figure(page, "expected")).to_have_text("17 %")
    apply = page.get_by_role("button", name="Apply without guarantee")
    expect(apply).to_be_disabled()
    assert serious(page) == []
    slider.focus()
    for _ in range(3):
        page.keyboard.press("PageUp")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuenow", "0.655")
    expect(slider).to_have_attribute("aria-valuetext", "0.655: 50 % labelled, 7 % mistakes expected")
    expect(figure(page, "coverage")).to_have_text("50 %")
    expect(page.locator(".histogram .limit.labelled")).to_contain_text("≥ 0.655 → labelled")
    expect(page.locator(".histogram .limit.waiting")).to_contain_text("< 0.655 → to a person")
    expect(slider).to_be_focused()
    page.keyboard.press("End")
    expect(figure(page, "coverage")).to_have_text("0 %")
    expect(figure(page, "expected")).to_have_text("–")
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuenow", "0")
    assert in_force(odd_app) == {0.5}, "nothing changes until it is applied"
    page.get_by_role("button", name="Back to where it is").click()
    expect(slider).to_have_attribute("aria-valuenow", "0.5")
    slider.focus()
    page.keyboard.press("PageUp")
    apply.click()
    toast = page.locator(".toast.good")
    expect(toast).to_contain_text("The threshold of thing is 0.55 now, without a guarantee.")
    assert in_force(odd_app) == {0.55}
    expect(handle(page)).to_have_attribute("aria-valuenow", "0.55")
    toast.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast.good")).to_contain_text("The thresholds are as they were.")
    expect(handle(page)).to_have_attribute("aria-valuenow", "0.5")
    assert in_force(odd_app) == {0.5}


def test_a_threshold_is_dragged_by_mouse(page: Page, odd_app: Session) -> None:
    scored(odd_app, 0.95, 0.91, 0.62, 0.31)
    page.goto(app_path(odd_app, "workflow"))
    slider = handle(page)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    room = page.locator(".histogram-room").bounding_box()
    assert box is not None
    assert room is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    wide = room["width"] - 44 - 14
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 0.1 * wide, y, steps=3)
    expect(figure(page, "coverage")).to_have_text("75 %")
    page.mouse.move(x + 0.3 * wide, y, steps=5)
    expect(slider).to_have_attribute("aria-valuenow", re.compile(r"^0\.(795|8|805)$"))
    expect(figure(page, "coverage")).to_have_text("50 %")
    page.mouse.move(x + 5 * wide, y, steps=2)
    expect(slider).to_have_attribute("aria-valuenow", "1")
    page.mouse.up()
    page.mouse.move(x, y)
    expect(slider).to_have_attribute("aria-valuenow", "1")
    assert in_force(odd_app) == {0.5}


def test_a_guarantee_needs_what_was_drawn(people: People, served: Running, odd_app: Session) -> None:
    people.ignored = ("the server responded with a status of 400",)
    page = people.signed_in(served)
    scored(odd_app, 0.95, 0.31)
    page.goto(app_path(odd_app, "workflow"))
    page.locator(".guarantee summary").click()
    page.fill(".guarantee input[name=error]", "5")
    assert serious(page) == []
    page.get_by_role("button", name="Choose thresholds").click()
    expect(page.locator(".toast.bad")).to_contain_text("nothing was drawn at random")
    assert in_force(odd_app) == {0.5}
    page.fill(".guarantee input[name=n]", "5")
    page.get_by_role("button", name="Draw at random").click()
    expect(page.locator(".guarantee [role=status]")).to_contain_text("2 of 2 were drawn and wait to be answered.")
    expect(page.get_by_role("link", name="Answer them")).to_have_attribute("href", app_path(odd_app, "audit"))
    page.get_by_role("button", name="Choose thresholds").click()
    expect(page.locator(".guarantee [role=status]")).to_contain_text("Nothing was changed")
    assert in_force(odd_app) == {0.5}


def test_the_handle_stays_on_its_place_in_a_narrow_window(people: People, served: Running, odd_app: Session) -> None:
    scored(odd_app, 0.95, 0.31)
    page = people.signed_in(served, width=390, height=800, dark=True)
    page.goto(app_path(odd_app, "workflow"))
    slider, line = handle(page), page.locator(".histogram .limit.labelled line")
    expect(slider).to_be_visible()
    for width in (390, 700):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function(
            """() => {
              const middle = (box) => box.left + box.width / 2;
              const at = (query) => middle(document.querySelector(query).getBoundingClientRect());
              return Math.abs(at(".threshold-handle") - at(".histogram .limit.labelled line")) < 2;
            }"""
        )
        assert line.count() == 1
    assert serious(page) == []

"""The page of the runs: what each wrote, and taking one back."""

from __future__ import annotations

import re

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from playwright.sync_api import Page, expect

from tests.acceptance.conftest import Running, Session
from tests.browser.conftest import People, app_path
from tests.browser.test_session import serious


def labelled(session: Session, n: int) -> None:
    """Texts that the workflow has labelled: every second one waits for a person."""
    session.add_texts([f"no. {i} score={0.9 if i % 2 else 0.2}" for i in range(n)])
    session.settle()


def test_a_run_is_taken_back_and_what_a_person_has_confirmed_stays(page: Page, odd_app: Session) -> None:
    labelled(odd_app, 8)
    confirmed = odd_app.annotations()[0]
    change = resources_pb2.Annotation(
        id=confirmed.id,
        input_id=confirmed.input_id,
        data=resources_pb2.Data(concepts=[resources_pb2.Concept(id="thing", value=1)]),
        status={"code": 24150},
    )
    odd_app.call("PatchAnnotations", service_pb2.PatchAnnotationsRequest(action="merge", annotations=[change]))
    page.goto(app_path(odd_app, "runs"))
    row = page.locator("table.runs tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Inputs added")
    expect(row.locator("td.num")).to_have_text(["8", "8", "0"])
    assert serious(page) == []
    # By keyboard: the safe answer has the focus, and the button has it again.
    button = row.locator("button.danger")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("It wrote 8 annotations.")
    expect(dialog.locator(".plain")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
    assert len(odd_app.annotations()) == 8
    button.click()
    page.locator("dialog[open] button.danger").click()
    expect(page.locator(".toast.good")).to_contain_text("7 annotations removed, 0 put back, 1 left")
    expect(row).to_contain_text("taken back")
    expect(row.locator("button")).to_have_count(0)
    assert [a.id for a in odd_app.annotations()] == [confirmed.id]


def test_a_long_undo_shows_how_far_it_is_and_goes_on_by_itself(page: Page, odd_app: Session) -> None:
    labelled(odd_app, 2)
    replies = [{"removed": 500, "done": False}, {"removed": 300, "done": False}, {"removed": 200, "done": True}]
    asked: list[str] = []

    def reply(route: object) -> None:
        said = replies[len(asked)]
        asked.append(route.request.post_data_json["run"])  # type: ignore[attr-defined]
        numbers = {"dealt": said["removed"], "restored": 0, "left": 0}
        route.fulfill(json={"run": asked[-1], **numbers, **said})  # type: ignore[attr-defined]

    page.route("**/runs/undo", reply)
    page.goto(app_path(odd_app, "runs"))
    page.locator("table.runs button.danger").click()
    page.locator("dialog[open] button.danger").click()
    expect(page.locator(".toast.good")).to_contain_text("1,000 annotations removed")
    assert len(asked) == 3
    assert len(set(asked)) == 1


def test_an_undo_that_failed_says_so_and_can_be_gone_on_with(people: People, served: Running, odd_app: Session) -> None:
    people.ignored = ("Failed to load resource: the server responded with a status of 403",)
    labelled(odd_app, 2)
    page = people.signed_in(served)
    refusal = {"status": {"code": 11007, "description": "Insufficient scopes", "details": "not with this key"}}
    page.route("**/runs/undo", lambda route: route.fulfill(status=403, json=refusal))
    page.goto(app_path(odd_app, "runs"))
    page.locator("table.runs button.danger").click()
    page.locator("dialog[open] button.danger").click()
    expect(page.locator(".toast.bad")).to_contain_text("not with this key")
    expect(page.locator("table.runs button.danger")).to_be_visible()
    page.unroute("**/runs/undo")
    page.locator("table.runs button.danger").click()
    page.locator("dialog[open] button.danger").click()
    expect(page.locator(".toast.good")).to_contain_text("2 annotations removed")
    assert odd_app.annotations() == []


def test_an_app_without_runs_says_what_makes_the_first(page: Page, api: Session) -> None:
    page.goto(app_path(api, "runs"))
    expect(page.locator("#runs")).to_contain_text(re.compile("No run yet"))

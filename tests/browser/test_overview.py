"""How an app stands: its overview, inputs, concepts, models and workflow, as a person looks at them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from playwright.sync_api import Page, expect

from tests.acceptance.conftest import USER, Running, Session
from tests.browser.conftest import People, app_path
from tests.browser.test_session import serious

HOSTILE = (
    "<img src=x onerror=\"document.title='broken'\">",
    "\"><script>document.title='broken'</script>",
    "javascript:document.title='broken'",
    "{name} %s ${1} {{ 7 * 7 }}",
    "'; DROP TABLE concepts; --",
)
PAGES = ("", "inputs", "concepts", "models", "workflow", "runs")


def scored(session: Session, *scores: float) -> None:
    """A text for each score; the workflow labels from 0.5 on, and asks a person below."""
    session.add_texts([f"no. {i} score={score}" for i, score in enumerate(scores)])
    session.settle()


def post_concepts(session: Session, *concepts: resources_pb2.Concept) -> None:
    session.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=list(concepts)))


def test_the_overview_says_what_waits_and_what_flowed(page: Page, odd_app: Session) -> None:
    scored(odd_app, 0.9, 0.8, 0.7, 0.2)
    page.goto(app_path(odd_app))
    hero = page.locator(".hero")
    expect(hero.locator(".figure")).to_have_text("1")
    expect(hero.locator("a.primary")).to_have_attribute("href", app_path(odd_app, "review"))
    expect(page.locator(".figures .card").nth(1).locator(".figure")).to_have_text("4")
    expect(page.locator(".shares .figure").first).to_have_text("75 %")
    row = page.locator("table.concepts tbody tr", has_text="thing")
    expect(row.locator("td.num")).to_have_text(["3", "1", "0"])
    nodes = page.locator(".flow-graph .node")
    expect(nodes).to_have_count(6)
    expect(page.locator(".flow-graph .node.labelled", has_text="above")).to_contain_text("4 → 3 concepts")
    expect(page.locator(".flow-graph .node.waiting", has_text="pending")).to_contain_text("1 written")
    expect(page.locator(".newest .tile")).to_have_count(4)
    assert "4 inputs" in str(page.locator(".flow-graph").get_attribute("aria-label"))


def test_the_overview_of_an_empty_app_leads_to_adding(page: Page, api: Session) -> None:
    page.goto(app_path(api))
    expect(page.locator(".newest a.primary, .blank a.primary")).to_have_attribute("href", app_path(api, "add"))
    expect(page.locator("#overview")).to_contain_text("has no nodes")


def test_the_workflow_has_a_table_and_both_ways_of_the_thresholds(page: Page, odd_app: Session) -> None:
    scored(odd_app, 0.91, 0.62, 0.31, 0.12)
    page.goto(app_path(odd_app, "workflow"))
    expect(page.locator("table.nodes tbody tr")).to_have_count(5)
    above = page.locator("table.nodes tbody tr", has=page.get_by_role("rowheader", name="above"))
    expect(above.locator("td.num")).to_have_text(["4", "2", "4", "2", "0"])
    expect(page.locator(".histogram .limit.labelled")).to_contain_text("≥ 0.5 → labelled")
    expect(page.locator(".histogram .limit.waiting")).to_contain_text("< 0.5 → to a person")
    expect(page.locator(".histogram .bar.success")).to_have_count(2)
    expect(page.locator(".histogram .bar.pending")).to_have_count(2)
    page.click("#scores summary")
    expect(page.locator("#scores tbody th")).to_have_text(
        ["0.1 to 0.125", "0.3 to 0.325", "0.6 to 0.625", "0.9 to 0.925"]
    )
    expect(page).to_have_url(re.compile("concept=thing"))


def test_another_concept_is_chosen_by_typing(page: Page, odd_app: Session) -> None:
    scored(odd_app, 0.9)
    post_concepts(odd_app, resources_pb2.Concept(id="zebra", name="Zebra"))
    page.goto(app_path(odd_app, "workflow"))
    expect(page.locator("#scores-pick")).to_have_text("thing")
    page.focus("#scores-pick")
    page.keyboard.press("Enter")
    page.keyboard.type("zeb")
    page.keyboard.press("Enter")
    expect(page.locator("#scores-pick")).to_have_text("Zebra")
    expect(page.locator("#scores-body")).to_contain_text("No model has given")
    page.reload()
    expect(page.locator("#scores-pick")).to_have_text("Zebra")


# --- inputs ----------------------------------------------------------------------------------------


def test_inputs_are_filtered_and_the_address_holds_the_filters(page: Page, odd_app: Session) -> None:
    scored(odd_app, 0.9, 0.8, 0.3)
    odd_app.add_texts(["this one is broken"])
    odd_app.settle()
    page.goto(app_path(odd_app, "inputs"))
    tiles = page.locator("#tiles .tile")
    expect(tiles).to_have_count(4)
    expect(page.locator("#count")).to_have_text("4 inputs")
    expect(tiles.first).to_contain_text("failed")
    page.select_option("#annotation", "pending")
    expect(tiles).to_have_count(1)
    expect(tiles.locator(".mark.waiting")).to_have_text("thing0.30")
    expect(page).to_have_url(re.compile("annotation=pending"))
    page.reload()
    expect(tiles).to_have_count(1)
    expect(page.locator("#annotation")).to_have_value("pending")
    page.click("#reset")
    expect(tiles).to_have_count(4)
    page.fill("#text", "no. 1 ")
    expect(tiles).to_have_count(1)
    expect(tiles.locator(".mark.labelled")).to_have_text("thing0.80")
    page.fill("#text", "nothing is like this")
    expect(page.locator("#end")).to_contain_text("No input is like that.")
    page.fill("#text", "")
    page.select_option("#status", "failed")
    expect(tiles).to_have_count(1)
    tiles.click()
    expect(page).to_have_url(re.compile(r"/inputs/[^/?]+$"))
    page.go_back()
    expect(tiles).to_have_count(1)


def test_a_concept_filters_the_inputs(page: Page, odd_app: Session) -> None:
    scored(odd_app, 0.9, 0.3)
    post_concepts(odd_app, resources_pb2.Concept(id="zebra"))
    page.goto(app_path(odd_app, "inputs?concept=zebra"))
    expect(page.locator("#concept")).to_have_text("Concept: zebra")
    expect(page.locator("#end")).to_contain_text("No input is like that.")
    page.click("#concept")
    page.keyboard.type("thing")
    page.keyboard.press("Enter")
    expect(page.locator("#tiles .tile")).to_have_count(2)
    page.click("#concept-clear")
    expect(page).to_have_url(re.compile("/inputs$"))


def test_ten_thousand_inputs_are_a_few_dozen_elements(page: Page, api: Session) -> None:
    def reply(route: Any) -> None:
        start = int(parse_qs(urlparse(route.request.url).query).get("cursor", ["0"])[0])
        made = [
            {"id": f"no-{i}", "data": {"text": {"raw": f"text {i}"}}, "labels": []} for i in range(start, start + 100)
        ]
        end = start + 100 >= 10_000
        route.fulfill(json={"inputs": made, "cursor": None if end else str(start + 100), "scanned_all": end})

    page.route("**/ui/api/**/inputs?*", reply)
    page.goto(app_path(api, "inputs"))
    tiles = page.locator("#tiles .tile")
    expect(tiles.first).to_be_visible()
    for _ in range(1000):
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        if page.inner_text("#count") == "10,000 inputs":
            break
        page.wait_for_timeout(10)
    expect(page.locator("#count")).to_have_text("10,000 inputs")
    expect(page.get_by_text("text 9999", exact=True)).to_be_visible()
    assert tiles.count() < 120
    # Arrows go through all of them, in order, and what has the focus is in sight.
    page.get_by_role("link", name=re.compile("^no-9999")).focus()
    for key, index in (("ArrowLeft", 9998), ("Home", 0), ("ArrowRight", 1), ("End", 9999)):
        page.keyboard.press(key)
        focused = page.locator("#tiles li:has(a:focus)")
        expect(focused).to_have_attribute("aria-posinset", str(index + 1))
        expect(focused).to_be_in_viewport()
    assert tiles.count() < 120


# --- concepts and models ---------------------------------------------------------------------------


def test_a_concept_is_made_renamed_and_related(page: Page, api: Session) -> None:
    post_concepts(api, resources_pb2.Concept(id="animal"))
    page.goto(app_path(api, "concepts"))
    page.click("#create")
    page.keyboard.type("cat")
    page.keyboard.press("Enter")
    expect(page.locator("#chosen h2")).to_have_text("cat")
    expect(page).to_have_url(re.compile("concept=cat"))
    page.get_by_role("button", name="Rename").click()
    page.fill("dialog input", "house cat")
    page.keyboard.press("Enter")
    expect(page.locator("#chosen h2")).to_have_text("house cat")
    page.click("text=Add a relation")
    page.get_by_role("button", name=re.compile("^Hyponym")).click()
    page.keyboard.type("anim")
    page.keyboard.press("Enter")
    expect(page.locator(".relation-group")).to_contain_text("house cat is a kind of")
    request = service_pb2.ListConceptRelationsRequest(concept_id="cat")
    (relation,) = api.call("ListConceptRelations", request).concept_relations
    assert (relation.subject_concept.name, relation.predicate) == ("house cat", "hyponym")
    assert relation.object_concept.id == "animal"
    # From the other end it is the other word for the same.
    page.click(".related .link")
    expect(page.locator(".relation-group")).to_contain_text("animal is a wider word for")
    page.get_by_role("button", name="Remove the relation to house cat").click()
    page.locator("dialog[open] button.danger").click()
    expect(page.locator(".relations")).to_contain_text("None yet")
    assert not api.call("ListConceptRelations", request).concept_relations


def test_what_the_server_refuses_is_said(people: People, served: Running, api: Session) -> None:
    people.ignored = ("Failed to load resource: the server responded with a status of 400",)
    page = people.signed_in(served)
    post_concepts(api, resources_pb2.Concept(id="animal"))
    page.goto(app_path(api, "concepts"))
    page.click("#create")
    page.keyboard.type("animal")
    page.keyboard.press("Enter")
    expect(page.locator(".toast.bad")).to_contain_text("duplicate concept id")


def test_models_show_their_versions_settings_and_concepts(page: Page, odd_app: Session) -> None:
    model = next(
        m.id for m in odd_app.call("ListModels", service_pb2.ListModelsRequest()).models if m.id.startswith("above")
    )
    page.goto(app_path(odd_app, f"models?model={model}"))
    card = page.locator("#own details[open]")
    expect(card).to_contain_text(model)
    expect(card.locator(".related .chip")).to_have_text("thing0.5")
    expect(card.locator("tbody tr")).to_have_count(1)
    expect(card).to_contain_text("concept_threshold_type")
    expect(page.locator("#public")).to_contain_text("general-image-recognition")
    page.fill("#find", "visual-embedder")
    expect(page.locator("#public .model")).to_have_count(1)
    expect(page.locator("#own")).to_contain_text("No model is like that.")


# --- all of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_hostile_names_are_shown_as_they_are(page: Page, odd_app: Session, path: str) -> None:
    post_concepts(odd_app, *(resources_pb2.Concept(id=name, name=name) for name in HOSTILE))
    labels = [resources_pb2.Concept(id=name, value=1) for name in HOSTILE]
    data = resources_pb2.Data(text=resources_pb2.Text(raw=f"{HOSTILE[0]} score=0.3"), concepts=labels)
    data.metadata.update({"name": HOSTILE[1]})
    odd_app.call("PostInputs", service_pb2.PostInputsRequest(inputs=[resources_pb2.Input(data=data)]))
    odd_app.settle()
    page.goto(app_path(odd_app, path))
    expect(page.locator("main [aria-busy]")).to_have_count(0)
    if path in ("", "concepts"):
        for name in HOSTILE:
            expect(page.locator("main").get_by_text(name, exact=True).first).to_be_visible()
    if path == "concepts":
        page.get_by_role("button", name=HOSTILE[0]).click()
        expect(page.locator("#chosen h2")).to_have_text(HOSTILE[0])
    if path == "inputs":
        expect(page.locator("#tiles .excerpt")).to_contain_text(HOSTILE[0])
    assert page.locator("main img[src='x'], main script, body > script:not([src])").count() == 0
    assert "broken" not in page.title()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (375, True)])
def test_axe_finds_no_serious_fault_and_nothing_is_cut_off(
    people: People, served: Running, odd_app: Session, path: str, width: int, dark: bool
) -> None:
    scored(odd_app, 0.9, 0.2)
    page = people.signed_in(served, width=width, dark=dark)
    page.goto(app_path(odd_app, path))
    expect(page.locator("main [aria-busy]")).to_have_count(0)
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_another_users_app_is_no_page(people: People, served: Running) -> None:
    people.ignored = ("Failed to load resource: the server responded with a status of 404",)
    page = people.signed_in(served)
    for path in PAGES:
        reply = page.goto(f"/apps/somebody-else/their-app/{path}".rstrip("/"))
        assert reply is not None
        assert reply.status == 404
        assert USER in page.inner_text("header")

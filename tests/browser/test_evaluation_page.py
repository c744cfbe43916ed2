"""The page of a model's evaluations, and the report that is drawn by the same scripts."""

from __future__ import annotations

from pathlib import Path

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_pb2
from playwright.sync_api import Page, expect

from labelwright.ids import new_id
from tests.acceptance.conftest import Running, Session, command
from tests.browser.conftest import People, app_path
from tests.browser.test_session import serious

HOSTILE = "</script><img src=x onerror=\"document.title='broken'\">"


def judged(session: Session, *rows: tuple[float, int]) -> str:
    """A classifier of texts, and texts that it scores so and a person labels so; the model's id."""
    model = f"odd-{new_id()[-8:]}"
    posted = resources_pb2.Model(id=model, model_type_id="odd-classifier")
    session.call("PostModels", service_pb2.PostModelsRequest(models=[posted]))
    concept = resources_pb2.Concept(id="thing", name=HOSTILE)
    session.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=[concept]))
    ids = session.add_texts([f"no. {i} score={score}" for i, (score, _) in enumerate(rows)])
    session.settle()
    given = [
        resources_pb2.Annotation(
            input_id=i,
            data=resources_pb2.Data(concepts=[resources_pb2.Concept(id="thing", value=value)]),
            status=status_pb2.Status(code=24150),
        )
        for i, (_, value) in zip(ids, rows, strict=True)
    ]
    session.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=given))
    return model


def shows_the_figures(page: Page) -> None:
    """What stands on the page and in the report alike."""
    expect(page.locator(".measures .figure").first).to_have_text("0.667")
    cells = page.locator("table.by-concept tbody tr td.num")
    expect(cells).to_have_text(["0.667", "0.667", "0.667", "0.667", "0.639", "0.342", "3 yes, 3 no"])
    expect(page.locator(".plots-room .plot")).to_have_count(4)
    expect(page.locator(".plots-room .curve")).to_have_count(2)
    expect(page.locator(".plots-room .point")).to_have_count(13)
    expect(page.locator(".matrix .cell")).to_have_count(1)
    expect(page.locator(".mistake")).to_have_count(2)
    expect(page.locator(".mistake").first).to_contain_text("(0.950); labelled as not")
    assert "broken" not in page.title()


ROWS = ((0.9, 1), (0.8, 1), (0.3, 1), (0.95, 0), (0.1, 0), (0.2, 0))


def test_a_version_is_evaluated_and_looked_at(page: Page, api: Session) -> None:
    model = judged(api, *ROWS)
    page.goto(app_path(api, f"models?model={model}"))
    page.locator(".model[open] a.button").click()
    page.wait_for_url(f"**{app_path(api, f'models/{model}/evaluation')}")
    expect(page.locator("#told")).to_contain_text("has not been evaluated yet")
    assert serious(page) == []
    page.locator("#evaluate").click()
    expect(page.locator(".measures")).to_be_visible()
    shows_the_figures(page)
    assert "evaluation=" in page.url
    expect(page.locator("#which option")).to_have_count(1)
    assert serious(page) == []
    page.locator(".mistake a").first.click()
    page.wait_for_url("**/inputs/*")


def test_a_model_that_nobody_has_labels_for_says_so(page: Page, api: Session) -> None:
    model = f"odd-{new_id()[-8:]}"
    posted = resources_pb2.Model(id=model, model_type_id="odd-classifier")
    api.call("PostModels", service_pb2.PostModelsRequest(models=[posted]))
    page.goto(app_path(api, f"models/{model}/evaluation"))
    page.locator("#evaluate").click()
    expect(page.locator("#told")).to_contain_text("label some first")


def test_the_report_is_drawn_without_a_server(people: People, served: Running, api: Session, tmp_path: Path) -> None:
    model = judged(api, *ROWS)
    report = tmp_path / "report.html"
    done = command("evaluate", "--app", api.app, "--model", model, "--html", str(report), home=served.home)
    assert done.returncode == 0, done.stderr
    for dark in (False, True):
        page = people.open(served, dark=dark)
        page.goto(report.as_uri())
        shows_the_figures(page)
        loaded = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
        assert [url for url in loaded if not url.startswith("data:")] == []
        assert serious(page) == []

"""Signing in, the list of apps, and adding inputs, as a person does them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from labelwright.ids import new_id
from tests.acceptance.conftest import TOKEN, USER, Running, Session
from tests.browser.conftest import People, app_path, photos, wait_until

REFUSED = "Failed to load resource: the server responded with a status of"


def serious(page: Page) -> list[str]:
    """What axe finds that is serious or worse."""
    found = Axe().run(page).response["violations"]
    return [
        f"{v['id']}: {[node['html'][:120] for node in v['nodes']]}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


def test_who_signs_in_arrives_where_they_wanted_to_go(people: People, served: Running, api: Session) -> None:
    people.ignored = (f"{REFUSED} 401",)
    page = people.open(served)
    page.goto(app_path(api, "add"))
    expect(page).to_have_url(re.compile(r"/login\?next="))
    page.fill("#token", "not-a-token")
    page.press("#token", "Enter")
    expect(page.locator("#wrong")).to_be_visible()
    page.fill("#token", TOKEN)
    page.press("#token", "Enter")
    expect(page).to_have_url(re.compile(re.escape(app_path(api, "add")) + "$"))
    assert "httpOnly" in str(page.context.cookies()[0])
    assert page.evaluate("document.cookie") == ""
    page.click("#who")
    expect(page.locator("#who-menu")).to_contain_text(USER)
    page.click("#who-menu button[type=submit]")
    expect(page).to_have_url(re.compile("/login$"))
    assert page.context.cookies() == []
    page.goto("/apps")
    expect(page).to_have_url(re.compile(r"/login\?next="))


def test_a_session_that_ended_says_so_and_loses_nothing(people: People, served: Running, api: Session) -> None:
    people.ignored = (f"{REFUSED} 401",)
    page = people.signed_in(served)
    page.goto(app_path(api, "add"))
    page.context.clear_cookies()
    page.fill("#text", "something to keep")
    page.click("#text-form button")
    expect(page.locator(".toast.bad")).to_be_visible()
    expect(page.locator(".tile .state.failed")).to_be_visible()
    assert page.url.endswith(app_path(api, "add"))


def test_who_signs_in_anew_in_another_tab_goes_on_in_the_first(people: People, served: Running, api: Session) -> None:
    people.ignored = (f"{REFUSED} 401",)
    page = people.signed_in(served)
    page.goto(app_path(api, "add"))
    other = page.context.new_page()
    page.context.clear_cookies()
    other.goto("/login")
    other.fill("#token", TOKEN)
    other.press("#token", "Enter")
    other.wait_for_url("**/apps")
    page.fill("#text", "with the old page's CSRF token")
    page.click("#text-form button")
    expect(page.locator(".tile[data-stage=done]")).to_be_visible()


def test_an_app_is_made_and_found_in_the_list(page: Page) -> None:
    app = f"made-{new_id()[-8:]}"
    page.goto("/apps")
    page.click("[data-new]:visible")
    page.fill("#new-id", app)
    page.click("#new-make")
    page.wait_for_url(f"**{app}/add")
    page.click("#switch")
    expect(page.locator("#switch-menu a[aria-current]")).to_have_text(app)
    page.keyboard.press("Escape")
    expect(page.locator("#switch-menu")).to_be_hidden()
    page.goto("/apps")
    expect(page.locator(".app", has_text=app).locator(".counts span").first).to_be_visible()


def test_a_photo_is_added_and_its_label_appears(page: Page) -> None:
    app = f"faces-{new_id()[-8:]}"
    page.goto("/apps")
    page.click("[data-new]:visible")
    page.fill("#new-id", app)
    page.click("#new-make")
    page.wait_for_url(f"**{app}/add")
    astronaut = next(p for p in photos() if p.stem == "astronaut")
    page.set_input_files("#files", [astronaut])
    tile = page.locator(".tile")
    expect(tile).to_have_count(1)
    expect(tile.locator(".chip")).to_contain_text("people")
    expect(tile.locator("a.thumb")).to_have_attribute("href", re.compile(f"/{app}/inputs/"))
    assert serious(page) == []


def test_each_file_says_what_became_of_it(page: Page, odd_app: Session, tmp_path: Path) -> None:
    page.goto(app_path(odd_app, "add"))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    texts = [tmp_path / f"{i}.txt" for i in range(20)]
    for i, text in enumerate(texts):
        text.write_text(f"text {i}")
    page.set_input_files("#files", [broken, *texts])
    expect(page.locator(".tile[data-stage=done]")).to_have_count(20)
    expect(page.locator(".tile[data-stage=failed]")).to_have_count(1)
    expect(page.locator(".tile[data-stage=failed]")).to_contain_text("broken.png")
    page.fill("#urls", "this is no address")
    page.click("#urls-form button")
    expect(page.locator(".tile[data-stage=failed]")).to_have_count(2)
    assert odd_app.counts().processed == 20


HOSTILE = '"><img src=x onerror=alert(1)>{{7*7}}<script>alert(2)</script>.txt'


def test_a_hostile_file_name_is_a_name(page: Page, odd_app: Session) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(app_path(odd_app, "add"))
    page.set_input_files("#files", {"name": HOSTILE, "mimeType": "text/plain", "buffer": b"hello"})
    expect(page.locator(".tile .name")).to_have_text(HOSTILE)
    expect(page.locator(".tile[data-stage=done]")).to_be_visible()
    assert page.locator("img[src='x']").count() == 0


def test_an_empty_store_offers_the_demo(people: People, own_server: Running) -> None:
    how_many = len(photos())
    page = people.signed_in(own_server)
    expect(page.locator("#first")).to_be_visible()
    assert serious(page) == []
    page.click("#demo")
    client = own_server.client("auto-annotation")
    wait_until(lambda: len(client.inputs()) == how_many if "auto-annotation" in apps(page) else False)
    client.settle()
    assert {a.status.code for a in client.annotations()} >= {24150, 24151}


def apps(page: Page) -> list[str]:
    found = page.request.get("/v2/users/me/apps").json()["apps"]
    return [app["id"] for app in found]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [375, 1280])
def test_the_pages_are_readable_by_everybody(
    people: People, served: Running, api: Session, width: int, dark: bool
) -> None:
    people.ignored = (f"{REFUSED} 404",)
    page = people.open(served, width=width, dark=dark)
    page.goto("/login")
    assert serious(page) == []
    page = people.signed_in(served, width=width, dark=dark)
    for path in ("/apps", app_path(api, "add"), "/apps/nobody/nothing"):
        page.goto(path)
        expect(page.locator("h1:visible")).to_have_count(1)
        assert serious(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_the_colours_that_were_chosen_are_kept(page: Page, api: Session) -> None:
    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    page.goto("/apps")
    light = background()
    page.click("#theme")
    assert background() != light
    page.goto(app_path(api, "add"))
    assert background() != light
    page.click("#theme")
    assert background() == light

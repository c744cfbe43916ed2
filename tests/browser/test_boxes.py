"""The page of an image: its boxes drawn, moved, resized, named and removed by hand, and read back by the API."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2 as pb
from clarifai_grpc.grpc.api import service_pb2
from playwright.sync_api import Locator, Page, expect

from labelwright.store.tables import MODEL
from tests.acceptance.conftest import TOKEN, Running, Session
from tests.browser.conftest import PATIENCE, People, address, app_path, wait_until
from tests.browser.test_session import serious
from tests.unit.some_media import png

WIDTH, HEIGHT = 400, 200
PENDING = 24151
HOSTILE = '<img src=x onerror="document.title=1">'


def box(top: float, left: float, bottom: float, right: float) -> pb.RegionInfo:
    return pb.RegionInfo(bounding_box=pb.BoundingBox(top_row=top, left_col=left, bottom_row=bottom, right_col=right))


def image(api: Session, *regions: tuple[pb.RegionInfo, str, float, int], name: str = "photo") -> str:
    """An image of 400 x 200 with annotations: place, concept, value, status."""
    data = pb.Data(image=pb.Image(base64=png((90, 120, 150), WIDTH, HEIGHT)))
    api.call("PostInputs", service_pb2.PostInputsRequest(inputs=[pb.Input(id=name, data=data)]))
    api.settle()
    made = []
    for info, concept, value, status in regions:
        region = pb.Region(region_info=info, data=pb.Data(concepts=[pb.Concept(id=concept, value=value)]))
        one = pb.Annotation(input_id=name, data=pb.Data(regions=[region]))
        one.status.code = status
        made.append(one)
    if made:
        api.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=made))
    return name


def shown(page: Page, api: Session, name: str = "photo") -> Locator:
    """The page of an input with its image painted; the place where it is drawn on."""
    page.goto(app_path(api, f"inputs/{name}"))
    ground = page.locator(".stage-ground")
    expect(page.locator(".stage-picture")).to_be_visible()
    expect(page.locator(".stage-zoom")).not_to_be_empty()
    expect(page.locator("#one-labels")).not_to_contain_text("Loading")
    return ground


def picture(page: Page) -> dict[str, float]:
    found: Any = page.locator(".stage-picture").bounding_box()
    return dict(found)


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag from one place of the image to another, both as fractions (x, y)."""
    at = picture(page)
    points = [(at["x"] + x * at["width"], at["y"] + y * at["height"]) for x, y in (start, end)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move((points[0][0] + points[1][0]) / 2, (points[0][1] + points[1][1]) / 2)
    page.mouse.move(*points[1])
    page.mouse.up()


def choose(page: Page, text: str) -> None:
    """Choose, or make, a concept in the dialog."""
    field = page.locator("dialog.picker input")
    expect(field).to_be_focused()
    field.fill(text)
    field.press("Enter")
    expect(page.locator("dialog.picker")).to_have_count(0)


def saved(page: Page) -> None:
    expect(page.locator("#one-saved")).to_have_text("Saved")


def sides(annotation: pb.Annotation) -> tuple[float, float, float, float]:
    b = annotation.data.regions[0].region_info.bounding_box
    return b.top_row, b.left_col, b.bottom_row, b.right_col


def only(api: Session) -> pb.Annotation:
    (found,) = api.annotations()
    return found


def proposed_by_a_model(served: Running, id_: str) -> None:
    """Let an annotation be what a model proposed."""
    with closing(sqlite3.connect(served.home / "labelwright.db", timeout=30)) as conn, conn:
        conn.execute("UPDATE annotations SET origin = ?, model_version_id = 'model-version' WHERE id = ?", (MODEL, id_))
        conn.execute(
            "UPDATE annotation_concepts SET score = value WHERE annotation = (SELECT pk FROM annotations WHERE id = ?)",
            (id_,),
        )


def rejections(served: Running) -> int:
    """How much models may not say again, in all apps."""
    with closing(sqlite3.connect(served.home / "labelwright.db", timeout=30)) as conn:
        return int(conn.execute("SELECT count(*) FROM rejections").fetchone()[0])


def becomes(api: Session, true: Callable[[list[pb.Annotation]], bool]) -> None:
    wait_until(lambda: true(api.annotations()))


def test_a_box_is_drawn_and_read_back(page: Page, api: Session) -> None:
    image(api)
    shown(page, api)
    drag(page, (0.25, 0.2), (0.75, 0.6))
    choose(page, "Grey Cat")
    saved(page)
    made = only(api)
    assert sides(made) == pytest.approx((0.2, 0.25, 0.6, 0.75), abs=0.006)
    (concept,) = made.data.regions[0].data.concepts
    assert (concept.id, concept.name, concept.value) == ("grey-cat", "Grey Cat", 1)
    assert (made.status.code, made.input_id) == (24150, "photo")
    expect(page.locator(".box")).to_have_attribute(
        "aria-label", "Grey Cat, confirmed, 25 % from left, 20 % from top, 50 % wide, 40 % high"
    )
    expect(page.locator(".one-row")).to_contain_text("Grey Cat")


def test_who_names_no_concept_draws_no_box(page: Page, api: Session) -> None:
    image(api)
    shown(page, api)
    drag(page, (0.25, 0.2), (0.75, 0.6))
    expect(page.locator(".box")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".box")).to_have_count(0)
    assert api.annotations() == []


def test_a_box_is_moved_and_resized_and_each_is_undone_in_turn(page: Page, api: Session) -> None:
    image(api, (box(0.2, 0.2, 0.6, 0.5), "cat", 1, 24150))
    shown(page, api)
    page.locator(".box").click()
    drag(page, (0.3, 0.4), (0.4, 0.5))
    saved(page)
    becomes(api, lambda found: sides(found[0]) == pytest.approx((0.3, 0.3, 0.7, 0.6), abs=0.006))
    moved = sides(only(api))
    handle: Any = page.locator(".handle-se").bounding_box()
    at = picture(page)
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(at["x"] + 0.7 * at["width"], at["y"] + 0.8 * at["height"])
    page.mouse.move(at["x"] + 0.8 * at["width"], at["y"] + 0.9 * at["height"])
    page.mouse.up()
    becomes(api, lambda found: sides(found[0]) == pytest.approx((moved[0], moved[1], 0.9, 0.8), abs=0.006))
    page.keyboard.press("Control+z")
    becomes(api, lambda found: sides(found[0]) == pytest.approx(moved, abs=1e-6))
    page.keyboard.press("Control+z")
    becomes(api, lambda found: sides(found[0]) == pytest.approx((0.2, 0.2, 0.6, 0.5), abs=1e-6))
    expect(page.locator("#one-undo")).to_be_disabled()


def test_a_box_stays_within_the_image(page: Page, api: Session) -> None:
    image(api, (box(0.2, 0.2, 0.6, 0.5), "cat", 1, 24150))
    shown(page, api)
    page.locator(".box").click()
    drag(page, (0.3, 0.4), (1.4, -0.9))
    becomes(api, lambda found: sides(found[0]) == pytest.approx((0, 0.7, 0.4, 1), abs=1e-6))


def test_keys_move_and_resize_by_pixels_of_the_image(page: Page, api: Session) -> None:
    image(api, (box(0.2, 0.2, 0.6, 0.5), "cat", 1, 24150), (box(0.1, 0.7, 0.3, 0.9), "dog", 0.4, PENDING))
    shown(page, api)
    first, second = page.locator(".box").nth(0), page.locator(".box").nth(1)
    first.focus()
    expect(first).to_have_attribute("aria-pressed", "true")
    for key in ("ArrowRight", "Shift+ArrowRight", "ArrowDown", "Alt+ArrowRight", "Alt+Shift+ArrowUp"):
        page.keyboard.press(key)
    page.keyboard.press("Tab")
    expect(second).to_be_focused()
    expect(second).to_have_attribute(
        "aria-label", "dog, 40 %, pending, 70 % from left, 10 % from top, 20 % wide, 20 % high"
    )
    right, down = 11 / WIDTH, 1 / HEIGHT
    wanted = (0.2 + down, 0.2 + right, 0.6 + down - 10 / HEIGHT, 0.5 + right + 1 / WIDTH)
    becomes(api, lambda found: any(sides(one) == pytest.approx(wanted, abs=1e-6) for one in found))
    saved(page)
    page.keyboard.press("Control+z")
    becomes(api, lambda found: any(sides(one) == pytest.approx((0.2, 0.2, 0.6, 0.5), abs=1e-6) for one in found))


def test_a_box_is_made_by_keys_alone(page: Page, api: Session) -> None:
    image(api)
    shown(page, api).focus()
    page.keyboard.press("n")
    choose(page, "bird")
    saved(page)
    top, left, bottom, right = sides(only(api))
    assert (top + bottom) / 2 == pytest.approx(0.5, abs=0.01)
    assert (left + right) / 2 == pytest.approx(0.5, abs=0.01)


def test_a_box_gets_another_name_and_goes(page: Page, api: Session) -> None:
    image(api, (box(0.2, 0.2, 0.6, 0.5), "cat", 1, 24150), (box(0.1, 0.7, 0.3, 0.9), "dog", 1, 24150))
    shown(page, api)
    cat = page.locator(".box", has_text="cat")
    cat.dblclick()
    choose(page, "dg")
    saved(page)
    becomes(api, lambda found: {one.data.regions[0].data.concepts[0].id for one in found} == {"dog"})
    assert all(len(one.data.regions[0].data.concepts) == 1 for one in api.annotations())
    page.locator(".box").first.focus()
    page.keyboard.press("Delete")
    becomes(api, lambda found: len(found) == 1)
    expect(page.locator(".box")).to_have_count(1)
    page.keyboard.press("Control+z")
    becomes(api, lambda found: len(found) == 2)
    page.keyboard.press("Control+z")
    becomes(api, lambda found: {one.data.regions[0].data.concepts[0].id for one in found} == {"cat", "dog"})


def test_a_models_box_that_was_deleted_is_the_models_again(page: Page, api: Session, served: Running) -> None:
    image(api, (box(0.2, 0.2, 0.6, 0.5), "cat", 0.43, PENDING))
    before = only(api)
    proposed_by_a_model(served, before.id)
    known = rejections(served)
    shown(page, api)
    page.locator(".box").focus()
    page.keyboard.press("Delete")
    becomes(api, lambda found: found == [])
    assert rejections(served) == known + 1
    page.keyboard.press("Control+z")
    becomes(
        api,
        lambda found: (
            [(one.id, one.status.code, one.model_version_id) for one in found]
            == [(before.id, PENDING, "model-version")]
        ),
    )
    assert rejections(served) == known
    expect(page.locator(".box.is-pending")).to_have_count(1)
    # The same by the history's button.
    saved(page)
    page.locator(".box").focus()
    page.keyboard.press("Delete")
    becomes(api, lambda found: found == [])
    saved(page)
    row = page.locator("#one-history li:not(.undone)", has_text="deleted")
    expect(row).to_have_count(1)
    row.get_by_role("button").click()
    becomes(api, lambda found: [one.id for one in found] == [before.id])
    expect(page.locator("#one-history li.undone")).to_have_count(2)
    expect(page.locator(".box.is-pending")).to_have_count(1)


def test_what_another_changed_since_is_not_undone(page: Page, api: Session) -> None:
    image(api, (box(0.2, 0.2, 0.6, 0.5), "cat", 1, 24150))
    shown(page, api)
    page.locator(".box").click()
    drag(page, (0.3, 0.4), (0.4, 0.5))
    saved(page)
    (one,) = api.annotations()
    moved = sides(one)
    later = service_pb2.PatchAnnotationsRequest(action="merge", annotations=[pb.Annotation(id=one.id, task_id="later")])
    api.call("PatchAnnotations", later)
    page.keyboard.press("Control+z")
    expect(page.locator("#one-wrong")).to_contain_text("it was changed since")
    assert sides(only(api)) == pytest.approx(moved, abs=1e-6)


def test_zoom_and_pan_change_no_coordinates(page: Page, api: Session) -> None:
    image(api, (box(0.4, 0.4, 0.6, 0.6), "cat", 1, 24150))
    ground = shown(page, api)
    before = picture(page)
    page.mouse.move(before["x"] + before["width"] / 2, before["y"] + before["height"] / 2)
    for _ in range(4):
        page.mouse.wheel(0, -120)
    wait_until(lambda: picture(page)["width"] > 1.5 * before["width"])
    at, edge = picture(page), page.locator(".box").bounding_box()
    assert edge is not None
    assert (edge["x"] - at["x"]) / at["width"] == pytest.approx(0.4, abs=0.005)
    assert edge["width"] / at["width"] == pytest.approx(0.2, abs=0.01)
    ground.focus()
    page.keyboard.down(" ")
    drag(page, (0.5, 0.5), (0.45, 0.45))
    page.keyboard.up(" ")
    assert picture(page)["x"] < at["x"] - 10
    assert page.locator(".box").count() == 1
    drag(page, (0.61, 0.42), (0.66, 0.55))
    choose(page, "tail")
    saved(page)
    drawn = next(one for one in api.annotations() if one.data.regions[0].data.concepts[0].id == "tail")
    assert sides(drawn) == pytest.approx((0.42, 0.61, 0.55, 0.66), abs=0.004)
    ground.focus()
    page.keyboard.press("0")
    assert picture(page)["width"] == pytest.approx(before["width"], abs=0.5)


def test_fingers_draw_and_two_of_them_zoom(people: People, served: Running, api: Session) -> None:
    image(api)
    context = people.browser.new_context(
        base_url=address(served), viewport={"width": 375, "height": 740}, has_touch=True, is_mobile=True
    )
    context.set_default_timeout(PATIENCE)
    people.contexts.append(context)
    page = context.new_page()
    page.goto("/login")
    page.fill("#token", TOKEN)
    page.press("#token", "Enter")
    page.wait_for_url("**/apps**")
    shown(page, api)
    touch = context.new_cdp_session(page)
    before = picture(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        found = [
            {"x": before["x"] + x * before["width"], "y": before["y"] + y * before["height"], "id": i}
            for i, (x, y) in enumerate(points)
        ]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": found})

    send("touchStart", (0.2, 0.2))
    for step in (0.4, 0.6):
        send("touchMove", (step, step + 0.1))
    send("touchEnd")
    choose(page, "hat")
    saved(page)
    assert sides(only(api)) == pytest.approx((0.2, 0.2, 0.7, 0.6), abs=0.02)
    send("touchStart", (0.4, 0.5))
    send("touchStart", (0.4, 0.5), (0.6, 0.5))
    for step in (0.1, 0.2):
        send("touchMove", (0.4 - step, 0.5), (0.6 + step, 0.5))
    send("touchEnd")
    wait_until(lambda: picture(page)["width"] > 2 * before["width"])
    assert len(api.annotations()) == 1
    page.locator(".box").tap()
    handle: Any = page.locator(".handle-nw").bounding_box()
    assert handle["width"] >= 24
    assert handle["height"] >= 24


def test_pending_ones_are_accepted_rejected_and_undone(page: Page, api: Session) -> None:
    image(api, (box(0.2, 0.2, 0.6, 0.5), "cat", 0.43, PENDING), (box(0.1, 0.7, 0.3, 0.9), "dog", 0.4, PENDING))
    shown(page, api)
    page.get_by_role("button", name="Accept: cat").click()
    becomes(api, lambda found: sorted(one.status.code for one in found) == [24150, PENDING])
    page.get_by_role("button", name="Reject: dog").click()
    becomes(api, lambda found: {one.status.code for one in found} == {24150})
    values = {c.id: c.value for one in api.annotations() for c in one.data.regions[0].data.concepts}
    assert values == {"cat": 1, "dog": 0}
    expect(page.locator(".box.is-negative")).to_have_count(1)
    expect(page.locator("#one-history li")).to_have_count(2)
    page.keyboard.press("Control+z")
    becomes(api, lambda found: sorted(one.status.code for one in found) == [24150, PENDING])
    page.keyboard.press("Control+z")
    becomes(api, lambda found: {one.status.code for one in found} == {PENDING})
    expect(page.locator(".box.is-pending")).to_have_count(2)


def test_a_pending_one_gets_a_name_that_is_new(page: Page, api: Session) -> None:
    image(api, (box(0.2, 0.2, 0.6, 0.5), "cat", 0.43, PENDING))
    shown(page, api)
    page.get_by_role("button", name="Change the concept: cat").click()
    choose(page, "Snow Leopard")
    saved(page)
    becomes(api, lambda found: {one.status.code for one in found} == {24150})
    values = {c.name: c.value for one in api.annotations() for c in one.data.regions[0].data.concepts}
    assert values == {"cat": 0, "Snow Leopard": 1}
    page.keyboard.press("Control+z")
    becomes(api, lambda found: {one.status.code for one in found} == {PENDING})


def test_a_label_for_the_whole_is_added_and_removed(page: Page, api: Session) -> None:
    image(api)
    shown(page, api)
    page.click("#one-add")
    choose(page, "outdoor")
    becomes(api, lambda found: [c.id for one in found for c in one.data.concepts] == ["outdoor"])
    page.get_by_role("button", name="Remove: outdoor").click()
    becomes(api, lambda found: found == [])


def test_a_change_without_connection_waits_and_is_sent(people: People, page: Page, api: Session) -> None:
    people.ignored = ("net::ERR_INTERNET_DISCONNECTED", "net::ERR_FAILED")
    image(api, (box(0.2, 0.2, 0.6, 0.5), "cat", 1, 24150))
    shown(page, api)
    page.context.set_offline(True)
    page.locator(".box").focus()
    page.keyboard.press("Delete")
    expect(page.locator("#one-saved")).to_contain_text("1 changes wait")
    assert len(api.annotations()) == 1
    page.context.set_offline(False)
    becomes(api, lambda found: found == [])
    saved(page)


def test_what_the_server_refuses_is_told_and_kept(people: People, page: Page, api: Session) -> None:
    people.ignored = ("Failed to load resource",)
    image(api, (box(0.2, 0.2, 0.6, 0.5), "cat", 1, 24150))
    shown(page, api)
    (there,) = api.annotations()
    api.call("DeleteAnnotations", service_pb2.DeleteAnnotationsRequest(ids=[there.id], input_ids=["photo"]))
    page.locator(".box").focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#one-wrong")).to_contain_text("change the box of cat")
    page.get_by_role("button", name="Drop these changes").click()
    expect(page.locator("#one-wrong")).to_be_hidden()
    expect(page.locator(".box")).to_have_count(0)


def test_hostile_names_are_text(page: Page, api: Session) -> None:
    data = pb.Data(image=pb.Image(base64=png((90, 120, 150), WIDTH, HEIGHT)))
    data.metadata.update({HOSTILE: HOSTILE})
    api.call("PostInputs", service_pb2.PostInputsRequest(inputs=[pb.Input(id="odd", data=data)]))
    region = pb.Region(region_info=box(0.1, 0.1, 0.5, 0.5))
    region.data.concepts.add(id="odd", name=HOSTILE, value=0.5)
    one = pb.Annotation(input_id="odd", data=pb.Data(regions=[region]))
    one.status.code = PENDING
    api.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=[one]))
    shown(page, api, "odd")
    expect(page.locator(".box-name")).to_have_text(HOSTILE)
    expect(page.locator(".one-words")).to_have_text(HOSTILE)
    expect(page.locator(".one-metadata")).to_contain_text("onerror")
    page.get_by_role("button", name="Change the concept").click()
    expect(page.locator(".picker-name").first).to_have_text(HOSTILE)
    page.keyboard.press("Escape")
    assert page.title() != "1"
    assert page.locator("img[src='x']").count() == 0


def test_other_shapes_are_shown_and_not_edited(page: Page, api: Session) -> None:
    points = [pb.Point(row=0.1, col=0.1), pb.Point(row=0.5, col=0.9), pb.Point(row=0.9, col=0.3)]
    image(
        api,
        (pb.RegionInfo(polygon=pb.Polygon(points=points)), "roof", 0.7, PENDING),
        (pb.RegionInfo(point=pb.Point(row=0.2, col=0.8)), "nose", 1, 24150),
        (pb.RegionInfo(mask=pb.Mask(image=pb.Image(base64=png((255, 255, 255), 8, 4)))), "sky", 1, 24150),
    )
    shown(page, api)
    expect(page.locator(".shape path.shape-line")).to_have_count(1)
    expect(page.locator(".shape path.dot")).to_have_count(1)
    expect(page.locator(".mask")).to_have_count(1)
    page.locator(".box", has_text="roof").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Delete")
    expect(page.locator(".stage-handles")).to_be_hidden()
    expect(page.locator(".box")).to_have_count(3)


PAINT = """async () => {
  const { mountStage } = await import("/ui/static/stage.js");
  const room = document.createElement("div");
  room.style.width = "600px";
  room.style.height = "400px";
  document.body.append(room);
  const canvas = Object.assign(document.createElement("canvas"), { width: 80, height: 40 });
  const element = new Image();
  element.src = canvas.toDataURL();
  await element.decode();
  const stage = mountStage(room);
  const box = { top: 0.25, left: 0.25, bottom: 0.75, right: 0.75 };
  const input = { id: "a", data: { image: {} }, element };
  stage.setItem(input, [{ id: "b", box, label: "cat", score: 0.5, state: "pending" }]);
  const at = room.querySelector(".box").getBoundingClientRect();
  const image = room.querySelector("img").getBoundingClientRect();
  const found = [image.width, at.width / image.width, (at.left - image.left) / image.width];
  stage.destroy();
  return found;
}"""


def test_a_decoded_image_is_there_at_once(page: Page, api: Session) -> None:
    image(api)
    shown(page, api)
    width, share, left = page.evaluate(PAINT)
    assert width == pytest.approx(576, abs=1)
    assert share == pytest.approx(0.5, abs=0.01)
    assert left == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_serious_for_axe(people: People, served: Running, api: Session, dark: bool) -> None:
    image(api, (box(0.2, 0.2, 0.6, 0.5), "cat", 0.43, PENDING), (box(0.1, 0.7, 0.3, 0.9), "dog", 0, 24150))
    page = people.signed_in(served, dark=dark)
    shown(page, api)
    page.locator(".box").first.focus()
    assert serious(page) == []
    page.click("#one-add")
    expect(page.locator("dialog.picker")).to_be_visible()
    assert serious(page) == []

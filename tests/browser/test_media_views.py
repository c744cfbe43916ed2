"""The pages of a text, a video and an audio: what is said of them is shown where it belongs, and made by hand."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from shutil import which

import cv2
import numpy as np
import pytest
from clarifai_grpc.grpc.api import resources_pb2 as pb
from clarifai_grpc.grpc.api import service_pb2
from playwright.sync_api import Page, expect

from labelwright.review.assets import folder
from tests.acceptance.conftest import Running, Session
from tests.browser.conftest import People, app_path, wait_until
from tests.browser.test_boxes import PENDING, becomes, choose, saved
from tests.browser.test_session import serious
from tests.unit.some_media import video, wav

SUCCESS = 24150
LINE = "The \N{BALLOON} over Paris was seen by Marie & <b>Paul</b>.\n"
FILLER = "Nothing of note happened on that day, and nobody wrote it down.\n" * 80


def vp9(seconds: int = 3, rate: int = 10) -> bytes:
    """A video that Chromium plays, of 160 x 120 pixels."""
    with tempfile.TemporaryDirectory() as place:
        path = f"{place}/film.mp4"
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"vp09"), rate, (160, 120))
        if not writer.isOpened():
            pytest.skip("this OpenCV can't write VP9")
        for i in range(seconds * rate):
            writer.write(np.full((120, 160, 3), (40, 60 + 4 * i, 120), np.uint8))
        writer.release()
        return Path(path).read_bytes()


def add(api: Session, data: pb.Data, *annotations: tuple[pb.Data, int], name: str = "one") -> None:
    api.call("PostInputs", service_pb2.PostInputsRequest(inputs=[pb.Input(id=name, data=data)]))
    api.settle()
    made = []
    for said, status in annotations:
        one = pb.Annotation(input_id=name, data=said)
        one.status.code = status
        made.append(one)
    if made:
        api.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=made))


def span(text: str, words: str, concept: str, value: float = 1) -> pb.Data:
    start = text.index(words)
    info = pb.RegionInfo(span=pb.Span(char_start=start, char_end=start + len(words), raw_text=words))
    return pb.Data(regions=[pb.Region(region_info=info, data=pb.Data(concepts=[pb.Concept(id=concept, value=value)]))])


def in_frame(time: int, concept: str, value: float, box: bool = True) -> pb.Data:
    data = pb.Data(concepts=[pb.Concept(id=concept, value=value)])
    if box:
        info = pb.RegionInfo(bounding_box=pb.BoundingBox(top_row=0.25, left_col=0.25, bottom_row=0.75, right_col=0.75))
        data = pb.Data(regions=[pb.Region(region_info=info, data=data)])
    return pb.Data(frames=[pb.Frame(frame_info=pb.FrameInfo(time=time, number=time // 100), data=data)])


def opened(page: Page, api: Session, name: str = "one") -> None:
    page.goto(app_path(api, f"inputs/{name}"))
    expect(page.locator("#one-labels")).not_to_contain_text("Loading")


# --- text ------------------------------------------------------------------------------------------


def test_spans_are_shown_and_the_pending_one_is_in_view(page: Page, api: Session) -> None:
    text = LINE + FILLER + "At last Zoe came."
    add(
        api,
        pb.Data(text=pb.Text(raw=text)),
        (span(text, "Paris", "place"), SUCCESS),
        (span(text, "over Paris", "phrase"), SUCCESS),
        (span(text, "Zoe", "person", 0.62), PENDING),
    )
    opened(page, api)
    assert page.locator(".spans-text").evaluate("e => e.textContent") == text
    assert page.locator(".piece.is-double").all_inner_texts() == ["Paris"]
    zoe = page.get_by_role("button", name="person, 62 %, pending: “Zoe”")
    expect(zoe).to_be_in_viewport()
    zoe.click()
    expect(page.locator(".one-row.is-chosen")).to_contain_text("“Zoe”")
    assert serious(page) == []


def test_selected_words_become_a_span(page: Page, api: Session) -> None:
    add(api, pb.Data(text=pb.Text(raw=LINE)))
    opened(page, api)
    page.evaluate(
        """() => {
          const node = document.querySelector('.piece').firstChild;
          const from = node.data.indexOf('Marie');
          const range = document.createRange();
          range.setStart(node, from);
          range.setEnd(node, from + 6);
          getSelection().removeAllRanges();
          getSelection().addRange(range);
        }"""
    )
    page.click(".spans-ask")
    choose(page, "Person")
    saved(page)
    (made,) = api.annotations()
    got = made.data.regions[0].region_info.span
    # Counted in code points: the balloon is one of them, and two units of JavaScript.
    assert (got.char_start, got.char_end, got.raw_text) == (LINE.index("Marie"), LINE.index("Marie") + 5, "Marie")
    assert made.data.regions[0].data.concepts[0].id == "person"
    page.locator(".span-chip").focus()
    page.keyboard.press("Delete")
    becomes(api, lambda found: found == [])
    page.keyboard.press("Control+z")
    becomes(api, lambda found: [one.data.regions[0].region_info.span.raw_text for one in found] == ["Marie"])


def test_a_span_is_made_and_renamed_by_keys_alone(page: Page, api: Session) -> None:
    add(api, pb.Data(text=pb.Text(raw=LINE)))
    opened(page, api)
    page.locator(".spans-text").focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowRight", "Enter"):
        page.keyboard.press(key)
    choose(page, "phrase")
    saved(page)
    (made,) = api.annotations()
    assert made.data.regions[0].region_info.span.raw_text == "over Paris"
    page.locator(".span-chip").focus()
    page.keyboard.press("Enter")
    choose(page, "where")
    becomes(api, lambda found: [c.id for c in found[0].data.regions[0].data.concepts] == ["where"])
    assert api.annotations()[0].data.regions[0].region_info.span.raw_text == "over Paris"


# --- video and audio -------------------------------------------------------------------------------


def test_a_frame_s_box_is_shown_at_its_time(page: Page, api: Session) -> None:
    add(
        api,
        pb.Data(video=pb.Video(base64=vp9())),
        (in_frame(500, "car", 1), SUCCESS),
        (in_frame(1500, "dog", 0.4), PENDING),
        (in_frame(2500, "dusk", 1, box=False), SUCCESS),
    )
    opened(page, api)
    expect(page.locator(".player-tick")).to_have_count(3)
    # It begins where a person is waited for.
    box = page.locator(".player .box")
    expect(box).to_have_attribute(
        "aria-label", "dog, 40 %, pending, 25 % from left, 25 % from top, 50 % wide, 50 % high"
    )
    wait_until(lambda: abs(float(page.evaluate("document.querySelector('video').currentTime")) - 1.5) < 0.05)
    edge, film = box.bounding_box(), page.locator(".player-screen").bounding_box()
    assert edge is not None
    assert film is not None
    scale = min(film["width"] / 160, film["height"] / 120)
    assert edge["width"] == pytest.approx(80 * scale, abs=2)
    assert edge["x"] + edge["width"] / 2 == pytest.approx(film["x"] + film["width"] / 2, abs=2)
    box.focus()
    page.keyboard.press(".")
    expect(box).to_have_count(0)
    page.locator(".player-line").focus()
    page.keyboard.press("]")
    expect(page.locator(".player-label")).to_contain_text("dusk")
    for _ in range(2):
        page.keyboard.press("[")
    expect(box).to_have_attribute("aria-label", "car, confirmed, 25 % from left, 25 % from top, 50 % wide, 50 % high")
    page.get_by_role("button", name="Next to review (1)").click()
    expect(page.locator(".one-row.is-chosen")).to_contain_text("dog")
    page.get_by_role("button", name="Accept: dog").click()
    becomes(api, lambda found: {one.status.code for one in found} == {SUCCESS})
    expect(page.locator(".player-open")).to_be_hidden()
    assert serious(page) == []


def test_a_video_that_the_browser_does_not_play_shows_its_frames_all_the_same(
    people: People, page: Page, api: Session
) -> None:
    people.ignored = ("Failed to load resource",)
    film = video([(200, 30, 30)] * 30)
    add(api, pb.Data(video=pb.Video(base64=film)), (in_frame(500, "car", 0.3), PENDING))
    opened(page, api)
    expect(page.locator(".player .stage-note")).to_be_visible()
    expect(page.locator("img.player-still")).to_be_visible()
    expect(page.locator(".player .box")).to_have_count(1)
    expect(page.get_by_role("button", name="Play")).to_be_disabled()


def test_an_audio_shows_its_stretches_of_time(page: Page, api: Session) -> None:
    def stretch(start: float, end: float, concept: str) -> pb.Data:
        info = pb.TimeInfo(begin_time=start, end_time=end)
        data = pb.Data(concepts=[pb.Concept(id=concept, value=0.7)])
        return pb.Data(time_segments=[pb.TimeSegment(data=data, time_info=info)])

    add(
        api,
        pb.Data(audio=pb.Audio(base64=wav(4))),
        (stretch(500, 1500, "speech"), SUCCESS),
        (stretch(2000, 3000, "music"), PENDING),
    )
    opened(page, api)
    expect(page.locator(".player-stretch")).to_have_count(2)
    expect(page.locator(".player-segment[aria-pressed=true]")).to_contain_text("music")
    page.locator(".player-segment", has_text="speech").click()
    wait_until(lambda: float(page.evaluate("document.querySelector('audio').currentTime")) >= 0.5)
    expect(page.locator(".one-row.is-chosen")).to_contain_text("speech")
    assert serious(page) == []


@pytest.mark.parametrize("width", [375, 1280])
def test_no_page_is_wider_than_the_window(people: People, served: Running, api: Session, width: int) -> None:
    long = "a-name-without-a-space-" * 9
    add(api, pb.Data(text=pb.Text(raw=LINE)), (span(LINE, "Paris", long), PENDING))
    page = people.signed_in(served, width=width)
    opened(page, api)
    expect(page.locator(".one-row")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


# --- what needs no page ----------------------------------------------------------------------------

CHECKS = Path(__file__).parent / "sums.mjs"


def test_the_sums_are_right() -> None:
    node = which("node")
    if node is None:
        pytest.skip("no Node on PATH")
    with tempfile.TemporaryDirectory() as place:
        for script in folder("static").glob("*.js"):
            (Path(place) / script.name).write_bytes(script.read_bytes())
        (Path(place) / "package.json").write_text('{"type": "module"}')
        done = subprocess.run([node, str(CHECKS), place], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "boxes": 2000,
        "points": [6, True],
        "pieces": [[0, 2, [1]], [2, 3, [1, 2]], [3, 5, [2]], [5, 6, []]],
        "meant": [{"start": 2, "end": 3}] * 3 + [{"start": 1, "end": 0}],
        "words": [{"start": 4, "end": 7}, {"start": 0, "end": 3}],
        "found": ["cat", "Catalogue", "Wild cat", "educate", "c-a-x-t"],
        "accents": True,
        "more": 4,
        "frames": [[0, [1]], [900, [2, 3]]],
        "at": [0, 0, None, 900, None],
        "rate": 30,
        "clock": ["1:02.34", "1:00:00.00"],
        "colours": [True, 10],
    }

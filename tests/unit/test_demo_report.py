"""The demo's report: whatever the photos and concepts are called, and whatever came of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from labelwright.demo.graph import graph
from labelwright.demo.page import page, write_page
from labelwright.demo.photos import MOST, Photo, photos_in, sample_photos
from labelwright.demo.results import Box, Finding, Outcome, Result, count
from labelwright.demo.thumbnails import thumbnail
from labelwright.errors import ConfigurationError

HOSTILE = (
    "<script>alert(1)</script>.jpg",
    "\"><img src=x onerror='alert(1)'>.png",
    "a & b &amp; c.png",
    "</style></svg></title><h1>x",
    "{name} ${name} %s.png",
)
VOID = {"meta", "img", "br", "hr", "link", "input"}


@dataclass
class Seen(HTMLParser):
    """What a browser would find in a page, its elements checked to nest."""

    text: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    depth: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.depth.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.depth, f"</{tag}> closes nothing"
        assert self.depth.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    def classed(self, name: str) -> int:
        return sum(name in (attrs.get("class") or "").split() for _, attrs in self.tags)


def read(html: str) -> Seen:
    seen = Seen()
    seen.feed(html)
    seen.close()
    assert seen.depth == []
    return seen


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    path = tmp_path / "grey.png"
    Image.new("RGB", (800, 600), "grey").save(path)
    return Photo("grey.png", path, "nobody, CC0")


def found(concept: str, score: float, outcome: Outcome, threshold: float = 0.5) -> Finding:
    return Finding(concept, score, threshold, outcome)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_wherever_they_stand(photo: Photo, name: str) -> None:
    hostile = Photo(name, photo.path, credit=name)
    results = [
        Result(hostile, (found(name, 0.7, Outcome.LABELLED),), boxes=(Box(0.1, 0.1, 0.2, 0.2),)),
        Result(hostile, failure=name),
    ]
    seen = read(page(results, {name: 0.5}))
    tame = read(
        page(
            [
                Result(photo, r.findings and (found("people", 0.7, Outcome.LABELLED),), "x" * bool(r.failure), r.boxes)
                for r in results
            ],
            {"people": 0.5},
        )
    )
    assert [tag for tag, _ in seen.tags] == [tag for tag, _ in tame.tags]
    assert [sorted(attrs) for _, attrs in seen.tags] == [sorted(attrs) for _, attrs in tame.tags]
    # Two headings, two credits, the concept, the reason: whole, and as text.
    assert sum(text == name for text in seen.text) == 6
    assert name in "".join(seen.text).split("becomes a label from:")[1]
    assert [attrs["aria-label"] for attrs in seen.named("svg")[1:]] == [name, name]


def test_a_page_needs_nothing_else(photo: Photo) -> None:
    html = page([Result(photo, (found("people", 0.9, Outcome.LABELLED),))], {"people": 0.5})
    seen = read(html)
    assert not {"script", "link", "iframe", "img"} & {tag for tag, _ in seen.tags}
    sources = [value or "" for _, attrs in seen.tags for key, value in attrs.items() if key in ("href", "src")]
    assert len(sources) == 1
    assert sources[0].startswith("data:image/jpeg;base64,")
    assert "url(" not in html
    assert "@import" not in html
    policy = next(a for a in seen.named("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert (policy["content"] or "").startswith("default-src 'none'; img-src data:;")
    assert "prefers-color-scheme: dark" in html


def test_no_result_makes_a_page_too() -> None:
    seen = read(page([], {}))
    assert "No photos." in seen.text
    assert seen.classed("card") == 0


def test_each_outcome_has_its_badge_and_its_count(photo: Photo) -> None:
    broken = Photo("broken.jpg", photo.path.with_name("broken.jpg"))
    results = [
        Result(photo),
        Result(broken, failure="Download failed; check URL"),
        Result(photo, (found("people", 0.2, Outcome.WAITING),)),
        Result(photo, (found("people", 0.9, Outcome.LABELLED), found("man", 0.6, Outcome.LABELLED))),
    ]
    counts = count(results)
    assert (counts.photos, counts.labelled, counts.waiting, counts.nothing, counts.failed) == (4, 1, 1, 1, 1)
    assert (counts.labels, counts.questions) == (2, 1)
    seen = read(page(results, {"people": 0.5}))
    badges = [(a["class"] or "").split()[1] for a in seen.named("span") if (a.get("class") or "").startswith("badge")]
    assert badges == ["labelled", "waiting", "failed", "nothing"]
    assert "Download failed; check URL" in seen.text
    assert "can’t be shown" in seen.text
    drawn = read(graph(counts))
    assert [t for t in drawn.text if t.isdigit()] == ["4", "2", "1"]
    assert "1 with nothing seen · 1 failed" in drawn.text
    assert "looked at 3 photos" in drawn.text


def test_a_photo_waits_as_soon_as_one_concept_does(photo: Photo) -> None:
    both = (found("people", 0.9, Outcome.LABELLED), found("adult", 0.9, Outcome.WAITING, 0.95))
    assert Result(photo, both).outcome is Outcome.WAITING
    assert Result(photo, both, failure="broke later").outcome is Outcome.FAILED
    assert Result(photo).outcome is Outcome.NOTHING


@pytest.mark.parametrize(("score", "width"), [(0.0, "0.0%"), (0.333, "33.3%"), (1.0, "100.0%"), (1.2, "100.0%")])
def test_the_bar_is_as_long_as_the_score(photo: Photo, score: float, width: str) -> None:
    seen = read(page([Result(photo, (found("people", score, Outcome.WAITING, 0.25),))], {}))
    fill, mark = seen.named("i")
    assert fill["style"] == f"width:{width}"
    assert mark["style"] == "left:25.0%"


@pytest.mark.parametrize(
    ("size", "box", "fit"),
    [
        ((800, 600), Box(0.0, 0.0, 1.0, 1.0), "xMidYMid slice"),
        ((600, 600), Box(0.0, 0.4, 0.3, 0.6), "xMidYMin slice"),
        ((600, 600), Box(0.2, 0.4, 0.8, 0.6), "xMidYMid slice"),
        ((600, 600), Box(0.7, 0.4, 0.9, 0.6), "xMidYMax slice"),
        ((600, 600), Box(0.1, 0.4, 0.9, 0.6), "xMidYMid meet"),
        ((300, 600), Box(0.0, 0.4, 0.1, 0.6), "xMidYMid meet"),
        ((900, 600), Box(0.0, 0.4, 0.1, 0.6), "xMidYMid slice"),
        ((900, 600), Box(0.0, 0.0, 0.1, 0.2), "xMinYMid slice"),
    ],
)
def test_a_frame_cuts_no_box(tmp_path: Path, size: tuple[int, int], box: Box, fit: str) -> None:
    path = tmp_path / "photo.png"
    Image.new("L", size).save(path)
    seen = read(page([Result(Photo("photo.png", path), boxes=(box,))], {}))
    picture = seen.named("svg")[1]
    # The parser gives names in lower case.
    assert picture["preserveaspectratio"] == fit
    assert seen.named("rect")[-1]["x"] == f"{100 * box.left:.2f}%"


def test_the_file_is_utf8_whatever_the_locale(tmp_path: Path, photo: Photo) -> None:
    path = write_page([Result(Photo("Zoë – 猫.jpg", photo.path))], tmp_path, {})
    assert path == tmp_path / "report.html"
    assert "Zoë – 猫.jpg" in path.read_text("utf-8")


def test_thumbnails_are_upright_small_and_optional(tmp_path: Path, photo: Photo) -> None:
    small = thumbnail(photo)
    assert small is not None
    assert (small.width, small.height) == (640, 480)
    turned = Image.new("RGB", (400, 200))
    exif = turned.getexif()
    exif[274] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    upright = thumbnail(Photo("turned.jpg", tmp_path / "turned.jpg"))
    assert upright is not None
    assert (upright.width, upright.height) == (200, 400)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    assert thumbnail(Photo("broken.jpg", tmp_path / "broken.jpg")) is None
    assert thumbnail(Photo("gone.jpg", tmp_path / "gone.jpg")) is None


def test_a_folder_is_searched_to_its_depth(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "deep/er/c.webp", "._b.jpg", ".hidden/d.jpg", "notes.txt", "x.HEIC", "deep/y.dng"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    searched = photos_in(tmp_path)
    assert [photo.name for photo in searched.photos] == ["a.png", "b.JPG", "deep/er/c.webp"]
    assert searched.ignored == 2
    assert searched.left_out == 0


def test_names_that_are_no_text_can_be_shown(tmp_path: Path) -> None:
    (tmp_path / "tab\there\x1b[31m\u202egpj.jpg").touch()
    try:
        Path(str(tmp_path) + "/\udcff.jpg").touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    names = [photo.name for photo in photos_in(tmp_path).photos]
    assert sorted(names) == ["tab�here�[31m�gpj.jpg", "�.jpg"]
    assert all(name.encode() for name in names)


def test_a_folder_without_photos_says_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.heic").touch()
    with pytest.raises(ConfigurationError, match=r"found no photo in .* \(1 of other formats\): jpg, .* are read"):
        photos_in(tmp_path)
    with pytest.raises(ConfigurationError, match="is not a folder"):
        photos_in(tmp_path / "x.heic")


def test_of_very_many_photos_the_first_are_taken(tmp_path: Path) -> None:
    for i in range(MOST + 3):
        (tmp_path / f"{i:04}.jpg").touch()
    searched = photos_in(tmp_path)
    assert len(searched.photos) == MOST
    assert searched.left_out == 3
    assert searched.photos[-1].name == f"{MOST - 1:04}.jpg"


def test_the_samples_are_on_disk_and_credited() -> None:
    photos = sample_photos().photos
    assert len(photos) == 9
    assert all(photo.path.is_file() and photo.credit for photo in photos)
    assert all(thumbnail(photo, 32) is not None for photo in photos)


def test_without_scikit_image_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == "skimage" or name.startswith("skimage.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'labelwright\[demo\]'; or name a folder .* --photos"):
        sample_photos()

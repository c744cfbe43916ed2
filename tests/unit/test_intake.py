"""Taking inputs in: good and bad ones side by side, each failing alone and for its own reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Audio, Data, Image, Text, Video

from labelwright import config
from labelwright.annotator.intake import TEXT_LIMIT, WORKING_SIDE, Intake, Item, given_bytes, kind_of, url_of
from labelwright.errors import (
    InputFailed,
    InputInvalidArgument,
    InputInvalidUrl,
    InputOverLimit,
    InputUnsupportedFormat,
    StoreError,
)
from labelwright.ids import new_id
from labelwright.media.blobs import BlobStore
from tests.unit.some_data import copied, says, wire
from tests.unit.some_media import Site, loopback_site, noise, png

RED, GREEN, BLUE = (200, 30, 30), (30, 200, 30), (30, 30, 200)


@pytest.fixture
def site() -> Iterator[Site]:
    with loopback_site() as opened:
        yield opened


@pytest.fixture
def blobs() -> BlobStore:
    return BlobStore(f"memory://{new_id()}")


@pytest.fixture
def intake(tmp_path: Path, blobs: BlobStore) -> Intake:
    return Intake(config.load(home=tmp_path, allow_private_urls=True, max_pixels=2_000_000), blobs)


def by_url(url: str) -> Data:
    return Data(image=Image(url=url))


def by_bytes(content: bytes) -> Data:
    return Data(image=Image(base64=content))


def test_good_and_bad_inputs_side_by_side(site: Site, intake: Intake, blobs: BlobStore) -> None:
    blobs.put("1/kept", png(BLUE))
    items = {
        "missing": (by_url(site.url("/nowhere")), InputFailed, "404"),
        "red": (by_url(site.url("/red", png(RED))), None, ""),
        "page": (by_url(site.url("/page", b"<html>no such image</html>")), InputUnsupportedFormat, "a web page"),
        "metadata service": (by_url("http://169.254.169.254/latest"), InputInvalidUrl, "169.254.169.254"),
        "green": (by_bytes(png(GREEN)), None, ""),
        "nothing": (Data(), InputInvalidArgument, "no image, video, audio or text"),
        "empty image": (Data(image=Image()), InputInvalidArgument, "no image"),
        "empty text": (Data(text=Text()), InputInvalidArgument, "no image, video, audio or text"),
        "half an image": (by_bytes(noise(0)[:500]), InputUnsupportedFormat, ""),
        "too many pixels": (by_bytes(png(RED, 2000, 1001)), InputOverLimit, "2000000 at most"),
        "empty body": (by_url(site.url("/empty", b"")), InputFailed, "empty"),
        "no URL": (by_url("file:///etc/passwd"), InputInvalidUrl, ""),
        "text": (Data(text=Text(raw="hello")), None, ""),
        "concepts alone": (says(("cat", 1)), None, ""),
        "blue": (by_url("http://127.0.0.1:1/never-asked"), None, ""),
    }
    media = {"blue": "1/kept"}
    taken = intake.take([Item(name, data, media=media.get(name)) for name, (data, _, _) in items.items()])
    names = list(items)
    assert [names[i] for i in taken.rows] == taken.source.ids == ["red", "green", "text", "concepts alone", "blue"]
    colours = [None if p is None else tuple(p[0, 0]) for p in taken.source.pixels]
    assert colours == [RED, GREEN, None, None, BLUE]
    assert {names[i]: type(e) for i, e in taken.failed.items()} == {n: e for n, (_, e, _) in items.items() if e}
    for i, error in taken.failed.items():
        assert items[names[i]][2] in error.details


def test_an_empty_batch_is_fine(intake: Intake) -> None:
    taken = intake.take([])
    assert (len(taken.source), taken.rows, taken.failed, taken.kept) == (0, [], {}, {})


def test_a_private_address_is_refused_where_the_setting_says_so(site: Site, tmp_path: Path, blobs: BlobStore) -> None:
    strict = Intake(config.load(home=tmp_path), blobs)
    taken = strict.take([Item("url", by_url(site.url("/red", png()))), Item("bytes", by_bytes(png()))])
    assert taken.rows == [1]
    assert isinstance(taken.failed[0], InputInvalidUrl)
    assert site.asked == []


def test_what_was_fetched_is_kept_under_its_key_and_nothing_else_is(
    site: Site, intake: Intake, blobs: BlobStore
) -> None:
    picture, page = png(RED), b"<html></html>"
    blobs.put("1/own", png(BLUE))
    items = [
        Item("missing", by_url(site.url("/nowhere")), keep_as="1/a"),
        Item("good", by_url(site.url("/good", picture)), keep_as="1/b"),
        Item("nowhere to keep", by_url(site.url("/good"))),
        Item("kept already", Data(image=Image(url=site.url("/never asked"))), media="1/own", keep_as="1/c"),
        Item("page", by_url(site.url("/page", page)), keep_as="1/d"),
    ]
    taken = intake.take(items)
    # Bytes that are no image are kept too: the failed input's owner may want to see what came.
    assert taken.kept == {1: "1/b", 4: "1/d"}
    assert (blobs.get("1/b"), blobs.get("1/d")) == (picture, page)
    assert not any(blobs.exists(key) for key in ("1/a", "1/c"))
    assert "/never asked" not in site.asked
    assert sorted(taken.failed) == [0, 4]


def test_media_that_is_gone_fails_its_input_alone(intake: Intake, blobs: BlobStore) -> None:
    blobs.put("1/there", png(GREEN))
    image = Data(image=Image(url="http://127.0.0.1:1/never-asked"))
    taken = intake.take([Item("gone", image, media="1/gone"), Item("there", image, media="1/there")])
    assert taken.rows == [1]
    assert isinstance(taken.failed[0], InputFailed)
    assert "no longer in the media store" in taken.failed[0].details
    assert taken.source.pixels[0] is not None


def test_a_media_store_that_fails_is_the_reason_of_the_inputs_that_needed_it(
    intake: Intake, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_key: str) -> bytes:
        raise StoreError("media can't be read: no route")

    monkeypatch.setattr(blobs, "get", broken)
    taken = intake.take([Item("stored", by_url("http://x"), media="1/x"), Item("given", by_bytes(png()))])
    assert taken.rows == [1]
    assert taken.failed[0].details == "media can't be read: no route"


def test_a_text_behind_a_url_is_in_the_data_and_one_that_was_given_stays(site: Site, intake: Intake) -> None:
    fetched = Data(text=Text(url=site.url("/text", "grüße".encode())))
    fetched.metadata.update({"k": "v"})
    long = Data(text=Text(url=site.url("/long", b"x" * (TEXT_LIMIT + 1))))
    odd = Data(text=Text(url=site.url("/odd", b"\xff\xfe")))
    given = Data(text=Text(raw="given"))
    before = [wire(d) for d in (fetched, given)]
    taken = intake.take([Item(str(i), d) for i, d in enumerate((fetched, given, long, odd))])
    texts = [d.text.raw for d in taken.source.data]
    assert texts[:2] == ["grüße", "given"]
    assert len(texts[2]) == TEXT_LIMIT
    assert texts[3] == "\ufffd\ufffd"
    assert taken.source.data[0].metadata["k"] == "v"
    assert [wire(d) for d in (fetched, given)] == before, "an item's data is its owner's"
    assert taken.source.pixels == [None] * 4


def test_nodes_get_no_media_bytes_but_everything_else(intake: Intake) -> None:
    data = Data(image=Image(base64=png(), allow_duplicate_url=True))
    data.geo.geo_point.longitude = 7
    before = copied(data)
    (seen,) = intake.take([Item("a", data)]).source.data
    assert seen.image.base64 == b""
    assert seen.image.allow_duplicate_url
    assert seen.geo == data.geo
    assert data == before


MOVING, SOUNDING = b"RIFF\x04\0\0\0AVI LIST", b"RIFF\x04\0\0\0WAVEfmt "


def test_video_and_audio_are_fetched_and_kept_but_not_decoded(site: Site, intake: Intake, blobs: BlobStore) -> None:
    items = [
        Item("video", Data(video=Video(url=site.url("/v", MOVING))), keep_as="1/v"),
        Item("audio", Data(audio=Audio(base64=SOUNDING))),
    ]
    taken = intake.take(items)
    assert (taken.rows, taken.failed, taken.kept) == ([0, 1], {}, {0: "1/v"})
    assert blobs.get("1/v") == MOVING
    assert taken.source.pixels == [None, None]
    assert taken.source.data[1].audio.base64 == b""


def test_what_is_not_what_it_is_said_to_be_fails_alone_and_is_kept(
    site: Site, intake: Intake, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs.put("1/film", MOVING + b"x" * 10_000)
    blobs.put("1/noise", SOUNDING)
    # Of what is kept already the first bytes are enough.
    monkeypatch.setattr(blobs, "get", None)
    items = {
        "film": (Item("", Data(video=Video()), media="1/film"), ""),
        "sound as a film": (Item("", Data(video=Video()), media="1/noise"), "looks like WAV, not like a video"),
        "film as a sound": (Item("", Data(audio=Audio(base64=MOVING))), "looks like AVI, not like an audio"),
        "page as a film": (
            Item("", Data(video=Video(url=site.url("/p", b"<html>"))), keep_as="1/p"),
            "looks like a web page or XML, not like a video that can be read; AVI, MP4, MOV",
        ),
        "film as a text": (Item("", Data(text=Text(url=site.url("/t", MOVING)))), "looks like AVI, not like a text"),
        "text": (Item("", Data(text=Text(url=site.url("/ok", "BM, RIFF und Grüße".encode())))), ""),
    }
    taken = intake.take([item for item, _ in items.values()])
    names = list(items)
    assert {names[i] for i in taken.failed} == {name for name, (_, why) in items.items() if why}
    for i, error in taken.failed.items():
        assert isinstance(error, InputUnsupportedFormat)
        assert items[names[i]][1] in error.details
    assert blobs.head("1/p", 100) == b"<html>"


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [
        (24, 16, (16, 24, 3)),
        (WORKING_SIDE, 10, (10, WORKING_SIDE, 3)),
        (WORKING_SIDE * 2, 10, (5, WORKING_SIDE, 3)),
        (3, WORKING_SIDE * 2, (WORKING_SIDE, 2, 3)),
        (1, WORKING_SIDE * 4, (WORKING_SIDE, 1, 3)),
    ],
)
def test_images_are_cut_down_to_the_working_side(
    intake: Intake, width: int, height: int, shape: tuple[int, int, int]
) -> None:
    (pixels,) = intake.take([Item("a", by_bytes(png(RED, width, height)))]).source.pixels
    assert pixels is not None
    assert pixels.shape == shape
    assert pixels.dtype == np.uint8
    assert tuple(pixels[0, 0]) == RED
    assert not pixels.flags.writeable, "all nodes look at the same pixels"


@pytest.mark.parametrize(
    ("data", "kind", "url", "given"),
    [
        (Data(), None, "", b""),
        (Data(image=Image(url="u")), "image", "u", b""),
        (Data(video=Video(base64=b"v")), "video", "", b"v"),
        (Data(audio=Audio(url="a")), "audio", "a", b""),
        (Data(text=Text(url="t")), "text", "t", b""),
        (Data(text=Text(raw="t")), "text", "", b""),
    ],
)
def test_what_an_input_is_and_where_its_media_is(data: Data, kind: str | None, url: str, given: bytes) -> None:
    assert (kind_of(data), url_of(data), given_bytes(data)) == (kind, url, given)

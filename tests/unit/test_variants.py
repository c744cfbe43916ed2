"""The sizes of images, whatever the image; and what a file is by its first bytes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelwright.errors import InputOverLimit, InputUnsupportedFormat
from labelwright.media import formats, variants
from labelwright.media.formats import HEAD, check, sniff
from labelwright.media.frames import thumbnail
from labelwright.media.variants import SIDES, make
from tests.unit.some_media import png, video, wav

RED = (200, 30, 30)


def saved(image: Image.Image, kind: str, **more: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.format == "JPEG"
    assert image.mode == "RGB"
    return image


def near(pixel: object, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.asarray(pixel, float) - np.asarray(colour)).max() <= 6)


@pytest.mark.parametrize(("size", "side"), SIDES.items())
@pytest.mark.parametrize(
    ("width", "height", "long_is_width"), [(3000, 1500, True), (1500, 3000, False), (2000, 2000, True)]
)
def test_the_longer_side_is_the_sizes_own(size: str, side: int, width: int, height: int, long_is_width: bool) -> None:
    made = opened(make(png(RED, width, height), size, max_pixels=10**7))
    short = round(side * min(width, height) / max(width, height))
    assert made.size == ((side, short) if long_is_width else (short, side))
    assert near(made.getpixel((made.width // 2, made.height // 2)), RED)


@pytest.mark.parametrize("size", SIDES)
def test_nothing_is_made_larger(size: str) -> None:
    assert opened(make(png(RED, 40, 30), size, max_pixels=10**7)).size == (40, 30)


@pytest.mark.parametrize(("width", "height", "made"), [(1, 5000, (1, 96)), (5000, 1, (96, 1)), (1, 1, (1, 1))])
def test_a_side_never_goes_to_nothing(width: int, height: int, made: tuple[int, int]) -> None:
    assert opened(make(png(RED, width, height), "tiny", max_pixels=10**7)).size == made


def test_it_is_upright() -> None:
    image = Image.new("RGB", (200, 100), RED)
    image.paste((20, 20, 200), (0, 0, 100, 100))
    exif = Image.Exif()
    exif[0x0112] = 6
    made = opened(make(saved(image, "JPEG", exif=exif, quality=95), "tiny", max_pixels=10**7))
    assert made.size == (48, 96)
    # Turned to the right, what was on the left is on top.
    assert near(made.getpixel((24, 10)), (20, 20, 200))
    assert near(made.getpixel((24, 86)), RED)
    assert not made.getexif()


@pytest.mark.parametrize(
    ("data", "colour"),
    [
        (saved(Image.new("RGBA", (200, 100), (0, 0, 0, 0)), "PNG"), (255, 255, 255)),
        (saved(Image.new("LA", (200, 100), (0, 0)), "PNG"), (255, 255, 255)),
        (saved(Image.fromarray(np.full((100, 200), 0x80FF, np.uint16)), "PNG"), (128, 128, 128)),
        (saved(Image.new("CMYK", (200, 100), (0, 255, 255, 0)), "JPEG", quality=95), (255, 0, 0)),
        (saved(Image.new("1", (200, 100), 1), "TIFF"), (255, 255, 255)),
        (saved(Image.new("P", (200, 100), 0), "PNG"), (0, 0, 0)),
        (
            saved(
                Image.new("RGB", (200, 100), RED),
                "GIF",
                save_all=True,
                append_images=[Image.new("RGB", (200, 100), (0, 0, 255))],
            ),
            RED,
        ),
    ],
    ids=["clear", "clear grey", "16 bit", "CMYK", "1 bit", "palette", "animated"],
)
def test_every_kind_of_pixel_comes_out_as_a_person_would_see_it(data: bytes, colour: tuple[int, int, int]) -> None:
    made = opened(make(data, "tiny", max_pixels=10**7))
    assert made.size == (96, 48)
    assert near(made.getpixel((48, 24)), colour)


@pytest.mark.parametrize("data", [b"", b"<svg/>", png(RED, 500, 500)[:300], b"RIFF\0\0\0\0WAVE"])
def test_what_is_no_image_has_no_sizes(data: bytes) -> None:
    with pytest.raises(InputUnsupportedFormat):
        make(data, "tiny", max_pixels=10**7)


def test_the_limit_on_pixels_holds() -> None:
    with pytest.raises(InputOverLimit):
        make(png(RED, 101, 100), "tiny", max_pixels=10_000)


def test_where_sizes_are_kept() -> None:
    assert variants.key_of("7/abc", "orig") == "7/abc"
    assert variants.key_of("7/abc", "tiny") == "7/abc.sizes/tiny"
    assert variants.key_of("7/abc", "tiny").startswith(variants.sizes_below("7/abc") + "/")


# --- formats --------------------------------------------------------------------------------------


def pictures() -> dict[str, bytes]:
    image = Image.new("RGB", (20, 10), RED)
    return {kind: saved(image, kind) for kind in ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF")}


MP3 = b"\xff\xfb\x90\x64" + bytes(400)
SOME = {
    **pictures(),
    "AVI": b"RIFF\x10\0\0\0AVI LIST",
    "MP4": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2",
    "MOV": b"\0\0\0\x14ftypqt  \0\0\2\0qt  ",
    "WMV": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(20),
    "3GPP": b"\0\0\0\x14ftyp3gp5\0\0\1\0",
    "WAV": wav(),
    "FLAC": b"fLaC\0\0\0\x22",
    "OGG": b"OggS\0\2" + bytes(20),
    "M4A": b"\0\0\0\x18ftypM4A \0\0\0\0",
    "MP3": MP3,
}


@pytest.mark.parametrize("name", SOME)
def test_the_first_bytes_say_what_it_is(name: str) -> None:
    found = sniff(SOME[name])
    assert found is not None
    assert found.name == name
    assert found.mime.split("/")[0] in found.kinds


@pytest.mark.parametrize(
    "head",
    [
        *(
            b"",
            b"R",
            b"RIFF",
            b"RIFF\0\0\0\0",
            b"ID",
            b"\xff\xfb",
            b"\xff\xfb\xf0",
            b"\xff\xfb\x9c",
            b"\xff\xf1\x50\x80",
        ),
        *(b"<html>", b"<svg>", b"BM, the", b"plain", b"%PDF-1.7"),
        *(b"\x1a\x45\xdf\xa3", b"....ftypavif", b"....ftypheic"),
    ],
)
def test_what_is_none_of_ours_is_none(head: bytes) -> None:
    assert sniff(head) is None


def test_no_type_is_one_that_a_browser_runs() -> None:
    types = {found.mime for _, found in formats._FORMATS}
    assert all(t.split("/")[0] in ("image", "video", "audio") for t in types)
    assert not any("svg" in t or "xml" in t for t in types)


def test_mp3s_of_other_versions_and_with_tags() -> None:
    for head in (b"ID3\x03\0\0\0\0", b"ID3\x04\0\0", b"\xff\xf3\x40\xc0", b"\xff\xe3\x18\xc4"):
        found = sniff(head)
        assert found is not None
        assert found.name == "MP3"


@pytest.mark.parametrize(("kind", "names"), [("video", "AVI MP4 MOV WMV 3GPP GIF"), ("audio", "MP3 WAV FLAC OGG M4A")])
def test_a_kind_takes_its_formats(kind: str, names: str) -> None:
    for name, data in SOME.items():
        if name in names.split() or (kind == "audio" and name in ("MP4", "3GPP")):
            check(kind, data)
        else:
            with pytest.raises(InputUnsupportedFormat, match=f"looks like {name}, not like an? {kind}"):
                check(kind, data)


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"\x1a\x45\xdf\xa3\x01", "Matroska or WebM"),
        (b"  <!DOCTYPE html>", "a web page or XML"),
        (b"#EXTM3U\n", "a playlist"),
        (b"\xff\xf1\x50", "AAC"),
        (b"", "an empty file"),
        (b"what is this", "nothing that is known"),
    ],
)
def test_the_message_says_what_was_found_and_what_is_legal(head: bytes, found: str) -> None:
    with pytest.raises(
        InputUnsupportedFormat, match=rf"looks like {found}.*AVI, MP4, MOV, WMV, 3GPP and GIF are legal"
    ):
        check("video", head)


@pytest.mark.parametrize("name", [n for n in SOME if n != "GIF"])
def test_a_binary_file_is_no_text(name: str) -> None:
    with pytest.raises(InputUnsupportedFormat, match="not like a text"):
        check("text", SOME[name][:HEAD])


@pytest.mark.parametrize(
    "head", [b"", b"plain", b"<html>", b"GIF89a is a format", "é".encode() * HEAD, b"\xff\xfe", b"\x1fmoomoov\n"]
)
def test_a_text_may_begin_as_it_likes(head: bytes) -> None:
    check("text", head[:HEAD])
    check("text", head[: HEAD - 1])


# --- frames ---------------------------------------------------------------------------------------


def test_a_frame_one_second_into_the_video(tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(video(colours=[(20, 20, 200)] * 10 + [RED] * 10, rate=10))
    made = opened(thumbnail(path, max_pixels=10**6))
    assert made.size == (64, 48)
    assert made.getpixel((32, 24))[0] > 150  # type: ignore[index]
    assert [p.name for p in tmp_path.iterdir()] == ["film"]


def test_of_a_shorter_one_the_first_frame(tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(video(colours=[RED] * 3, rate=10))
    assert opened(thumbnail(path, max_pixels=10**6)).size == (64, 48)


@pytest.mark.parametrize("data", [b"", b"RIFF\x04\0\0\0AVI LIST", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"])
def test_without_a_frame_there_is_no_thumbnail(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "film"
    path.write_bytes(data)
    with pytest.raises(InputUnsupportedFormat, match="no frame"):
        thumbnail(path, max_pixels=10**6)


def test_a_frame_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(video(colours=[RED] * 3, rate=10))
    with pytest.raises(InputUnsupportedFormat):
        thumbnail(path, max_pixels=64 * 48 - 1)


def test_a_playlist_leads_to_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "other.avi").write_bytes(video(colours=[RED] * 3, rate=10))
    for name, text in {
        "a": f"#EXTM3U\n#EXTINF:1,\n{tmp_path}/other.avi\n",
        "b": "ffconcat version 1.0\nfile other.avi\n",
    }.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(InputUnsupportedFormat):
            thumbnail(tmp_path / name, max_pixels=10**6)

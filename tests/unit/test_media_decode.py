from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from labelwright.errors import InputOverLimit, InputUnsupportedFormat, LabelwrightError
from labelwright.media.decode import FORMATS, decode_image, image_size

CAP = 10_000
ORIENTATION = 0x0112


def picture(width: int = 12, height: int = 8) -> Image.Image:
    """Four plain quarters: red, green / blue, black."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2, 0] = 255
    pixels[: height // 2, width // 2 :, 1] = 255
    pixels[height // 2 :, : width // 2, 2] = 255
    return Image.fromarray(pixels)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    if format in ("JPEG", "WEBP"):
        options = {"quality": 100, **options}
    image.save(out, format, **options)
    return out.getvalue()


def corners(pixels: np.ndarray[Any, Any]) -> list[str]:
    """The colour near each corner, row by row, as a letter."""
    height, width = pixels.shape[:2]
    found = []
    for y in (height // 8, height - 1 - height // 8):
        for x in (width // 8, width - 1 - width // 8):
            r, g, b = (int(v) for v in pixels[y, x])
            found.append("RGB"[int(np.argmax([r, g, b]))] if max(r, g, b) > 100 else "K")
    return found


def tiff(*, shape: tuple[int, int], tags: dict[int, int], pixels: bytes) -> bytes:
    """A little-endian TIFF of one strip, for kinds of samples that Pillow does not write."""
    entries = {256: shape[1], 257: shape[0], 259: 1, 273: 0, 277: 1, 278: shape[0], 279: len(pixels), **tags}
    entries[273] = 8 + 2 + 12 * len(entries) + 4
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + rows + bytes(4) + pixels


SMALL = {name: encoded(picture(), name) for name in FORMATS}


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_decoded_and_measured(name: str) -> None:
    pixels = decode_image(SMALL[name], max_pixels=CAP)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (8, 12, 3)
    assert corners(pixels) == ["R", "G", "B", "K"]
    assert not pixels.flags.writeable
    assert image_size(SMALL[name]) == (12, 8, name)


@pytest.mark.parametrize("name", ["PNG", "TIFF", "BMP"])
def test_lossless_formats_come_back_exactly(name: str) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (9, 13, 3), np.uint8)
    assert np.array_equal(decode_image(encoded(Image.fromarray(noise), name), max_pixels=CAP), noise)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA"])
def test_every_mode_of_png_comes_out_as_rgb(mode: str) -> None:
    pixels = decode_image(encoded(picture().convert(mode), "PNG"), max_pixels=CAP)
    assert pixels.shape == (8, 12, 3)
    assert corners(pixels)[3] == "K"


# --- what is upright ------------------------------------------------------------------------------

UPRIGHT = {1: "RGBK", 2: "GRKB", 3: "KBGR", 4: "BKRG", 5: "RBGK", 6: "BRKG", 7: "KGBR", 8: "GKRB"}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encoded(picture(48, 32), name, exif=exif)
    pixels = decode_image(data, max_pixels=CAP)
    assert "".join(corners(pixels)) == UPRIGHT[orientation]
    assert pixels.shape == ((32, 48, 3) if orientation < 5 else (48, 32, 3))
    width, height, _ = image_size(data)
    assert pixels.shape == (height, width, 3)


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"Exif\0\0"])
def test_broken_exif_leaves_the_picture_as_it_lies(exif: bytes) -> None:
    data = encoded(picture(), "JPEG", exif=exif)
    assert corners(decode_image(data, max_pixels=CAP)) == ["R", "G", "B", "K"]
    assert image_size(data) == (12, 8, "JPEG")


def test_the_size_of_a_png_is_read_without_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[object] = []
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", lambda image: loads.append(image))
    assert image_size(SMALL["PNG"]) == (12, 8, "PNG")
    assert not loads


# --- colour ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["PNG", "TIFF", "WEBP"])
def test_what_is_transparent_lies_on_white(name: str) -> None:
    image = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    image.paste((0, 0, 200, 255), (8, 0, 16, 16))
    pixels = decode_image(encoded(image, name, **({"lossless": True} if name == "WEBP" else {})), max_pixels=CAP)
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, 15].tolist() == [0, 0, 200]


def test_half_transparent_is_half_white() -> None:
    image = Image.new("LA", (4, 4), (0, 128))
    assert decode_image(encoded(image, "PNG"), max_pixels=CAP)[0, 0].tolist() == [127, 127, 127]


@pytest.mark.parametrize("mode", ["L", "P", "RGB"])
def test_a_transparent_colour_of_png_lies_on_white(mode: str) -> None:
    image = Image.new(mode, (4, 4), 0)
    image.putpixel((0, 0), (9, 9, 9) if mode == "RGB" else 1)
    data = encoded(image, "PNG", transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert decode_image(data, max_pixels=CAP)[3, 3].tolist() == [255, 255, 255]


def test_a_transparent_gif_lies_on_white_and_shows_its_first_frame() -> None:
    frames = [Image.new("P", (6, 6), i) for i in (0, 1)]
    for frame in frames:
        frame.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
        frame.putpixel((0, 0), 2)
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], transparency=0)
    pixels = decode_image(data, max_pixels=CAP)
    assert pixels[0, 0].tolist() == [0, 0, 255]
    assert pixels[5, 5].tolist() == [255, 255, 255]


def test_sixteen_bits_keep_their_high_byte() -> None:
    ramp = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16)
    for name in ("PNG", "TIFF"):
        pixels = decode_image(encoded(Image.fromarray(ramp), name), max_pixels=CAP)
        assert np.array_equal(pixels[:, :, 0], np.arange(256).reshape(16, 16))
        assert np.array_equal(pixels[:, :, 0], pixels[:, :, 2])


def test_sixteen_bit_colour_keeps_its_high_byte() -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    row = b"\0" + struct.pack(">HHH", 0x12FF, 0x80FF, 0xFFFF)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0))
    data += chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    assert decode_image(data, max_pixels=CAP)[0, 0].tolist() == [0x12, 0x80, 0xFF]


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, 100, 255]], np.float32), [0, 100, 255]),
        (np.array([[-1, 0, 1]], np.float32), [0, 128, 255]),
        (np.array([[np.nan, 0, 1000]], np.float32), [0, 0, 255]),
        (np.array([[-3e38, 0, 3e38]], np.float32), [0, 128, 255]),
        (np.array([[7, 7, 7]], np.int32), [7, 7, 7]),
        (np.array([[700, 700, 1400]], np.int32), [0, 0, 255]),
        (np.array([[-(2**31), 0, 2**31 - 1]], np.int32), [0, 128, 255]),
    ],
)
def test_samples_without_a_range_are_taken_as_they_are_or_stretched(
    samples: np.ndarray[Any, Any], expected: list[int]
) -> None:
    data = encoded(Image.fromarray(samples), "TIFF")
    assert decode_image(data, max_pixels=CAP)[0, :, 0].tolist() == expected


@pytest.mark.parametrize("value", [300, -5])
def test_a_flat_picture_out_of_range_is_black(value: int) -> None:
    data = encoded(Image.fromarray(np.full((2, 2), value, np.int32)), "TIFF")
    assert decode_image(data, max_pixels=CAP).max() == 0


def test_signed_sixteen_bits_are_stretched() -> None:
    samples = np.array([[-100, 0, 100]], "<i2")
    data = tiff(shape=(1, 3), tags={258: 16, 262: 1, 339: 2}, pixels=samples.tobytes())
    assert decode_image(data, max_pixels=CAP)[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(name: str) -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    r, g, b = decode_image(encoded(image, name), max_pixels=CAP)[8, 8].tolist()
    assert r > 200
    assert max(g, b) < 60


def test_the_first_picture_of_a_phone_s_mpo_is_a_jpeg() -> None:
    data = encoded(picture(48, 32), "MPO", save_all=True, append_images=[picture(48, 32)])
    assert image_size(data) == (48, 32, "JPEG")
    assert decode_image(data, max_pixels=CAP, target=20).shape[:2] in {(32, 48), (16, 24)}


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_the_cap_on_pixels_is_kept_exactly(name: str) -> None:
    assert decode_image(SMALL[name], max_pixels=96).shape == (8, 12, 3)
    with pytest.raises(InputOverLimit, match="12 x 8 = 96 pixels; 95 at most"):
        decode_image(SMALL[name], max_pixels=95)


def test_a_bomb_is_refused_by_its_header_alone() -> None:
    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header
    data += struct.pack(">I", zlib.crc32(b"IHDR" + header)) + struct.pack(">I", 0) + b"IDAT"
    with pytest.raises(InputOverLimit, match="at most are legal"):
        decode_image(data, max_pixels=100_000_000)


def test_a_cap_above_pillow_s_own_is_the_one_that_counts() -> None:
    # 1-bit and plain: 200 million pixels in a few kilobytes, past both of Pillow's own limits.
    data = encoded(Image.new("1", (20_000, 10_000)), "PNG")
    assert image_size(data) == (20_000, 10_000, "PNG")
    with pytest.raises(InputOverLimit, match="199999999 at most"):
        decode_image(data, max_pixels=199_999_999)


def test_a_side_is_limited_too() -> None:
    assert decode_image(encoded(Image.new("1", (65_535, 1)), "PNG"), max_pixels=10**6).shape == (1, 65_535, 3)
    with pytest.raises(InputOverLimit, match="a side of 65535"):
        decode_image(encoded(Image.new("1", (1, 65_536)), "PNG"), max_pixels=10**6)


def test_memory_that_runs_out_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load)
    with pytest.raises(InputOverLimit, match="memory"):
        decode_image(SMALL["PNG"], max_pixels=CAP)


@pytest.mark.parametrize(
    ("size", "target", "expected"),
    [
        ((640, 480), 224, (240, 320)),
        ((640, 480), 320, (240, 320)),
        ((640, 480), 321, (480, 640)),
        ((640, 480), 80, (60, 80)),
        ((640, 480), 1, (60, 80)),
        ((640, 480), 5000, (480, 640)),
        ((480, 640), 224, (320, 240)),
        ((641, 33), 320, (17, 321)),
        ((2000, 3), 250, (2, 1000)),
    ],
)
def test_a_jpeg_shrinks_no_further_than_the_target(
    size: tuple[int, int], target: int, expected: tuple[int, int]
) -> None:
    data = encoded(picture(*size), "JPEG")
    assert decode_image(data, max_pixels=10**6, target=target).shape[:2] == expected


@settings(deadline=None)
@given(width=st.integers(1, 300), height=st.integers(1, 300), target=st.integers(1, 400))
def test_the_long_side_never_falls_below_the_target(width: int, height: int, target: int) -> None:
    data = encoded(Image.new("L", (width, height)), "JPEG", quality=30)
    shape = decode_image(data, max_pixels=10**6, target=target).shape[:2]
    assert max(shape) >= min(target, max(width, height))
    assert max(shape) <= max(width, height)


def test_other_formats_keep_their_size_under_a_target() -> None:
    assert decode_image(encoded(picture(64, 64), "PNG"), max_pixels=CAP, target=8).shape == (64, 64, 3)


# --- what is not an image -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"<!doctype html><html>404</html>", "a web page"),
        (b"\n  <?xml version='1.0'?><svg/>", "a web page or XML"),
        (b'{"error": 1}', "JSON"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x20ftypheic", "HEIC"),
        (b"\0\0\0\x20ftypavif", "AVIF"),
        (b"\0\0\0\x20ftypisom", "a video"),
        (b"plain text", "not an image"),
        (b"\xff\xd8\xff", "JPEG"),
        (SMALL["PNG"][:20], "PNG"),
    ],
)
def test_what_is_no_image_is_refused_with_what_is_legal(data: bytes, reason: str) -> None:
    for read in (image_size, lambda d: decode_image(d, max_pixels=CAP)):
        with pytest.raises(InputUnsupportedFormat, match=reason) as caught:
            read(data)
        assert "object at" not in caught.value.details


def test_another_format_that_pillow_could_read_is_refused() -> None:
    for name in ("PPM", "ICO", "TGA", "EPS"):
        with pytest.raises(InputUnsupportedFormat, match="JPEG, PNG, TIFF, BMP, WEBP and GIF are legal"):
            decode_image(encoded(picture(16, 16), name), max_pixels=CAP)


@pytest.mark.parametrize("name", FORMATS)
def test_half_a_file_is_broken(name: str) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (64, 64, 3), np.uint8)
    whole = encoded(Image.fromarray(noise), name)
    with pytest.raises(InputUnsupportedFormat, match=r"broken|cut off") as caught:
        decode_image(whole[: len(whole) // 2], max_pixels=CAP)
    assert len(caught.value.details) < 160


def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    data = bytearray(whole)
    for _ in range(draw(st.integers(0, 4))):
        # Headers lie in front: half of the flips go there.
        place = draw(st.one_of(st.integers(0, min(63, len(data) - 1)), st.integers(0, len(data) - 1)))
        data[place] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))])


EXIF = Image.Exif()
EXIF[ORIENTATION] = 6
EXIF[0x010E] = "a description"
SEEDS = [
    *SMALL.values(),
    encoded(picture(), "JPEG", exif=EXIF, progressive=True),
    encoded(picture().convert("CMYK"), "JPEG"),
    encoded(picture(), "MPO", save_all=True, append_images=[picture()], exif=EXIF),
    encoded(picture().convert("P"), "PNG", exif=EXIF, transparency=3),
    encoded(picture(), "PNG", save_all=True, append_images=[picture().rotate(180)]),
    encoded(Image.fromarray(np.arange(96, dtype=np.uint16).reshape(8, 12)), "PNG"),
    encoded(picture(), "TIFF", compression="tiff_lzw", exif=EXIF),
    encoded(picture(), "TIFF", compression="jpeg"),
    encoded(picture(), "TIFF", compression="tiff_deflate", tiffinfo={317: 2}),
    encoded(Image.fromarray(np.linspace(0, 1, 96, dtype=np.float32).reshape(8, 12)), "TIFF"),
    encoded(picture().convert("P"), "BMP"),
    encoded(picture().convert("RGBA"), "WEBP", lossless=True, exif=EXIF),
    encoded(picture(), "WEBP", save_all=True, append_images=[picture().rotate(180)]),
    encoded(picture().convert("P"), "GIF", save_all=True, append_images=[picture().rotate(180)]),
]


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    return damaged(draw, draw(st.sampled_from(SEEDS)))


@settings(max_examples=300, deadline=None)
@given(data=damaged_files(), target=st.none() | st.integers(1, 20))
def test_a_damaged_file_is_decoded_or_refused(data: bytes, target: int | None) -> None:
    try:
        width, height, name = image_size(data)
    except LabelwrightError:
        with pytest.raises(LabelwrightError):
            decode_image(data, max_pixels=CAP, target=target)
        return
    assert name in FORMATS
    refusal = ""
    pixels = np.zeros((1, 1, 3), np.uint8)
    try:
        pixels = decode_image(data, max_pixels=CAP, target=target)
    except (InputUnsupportedFormat, InputOverLimit) as e:
        refusal = e.details
    assert len(refusal) < 200
    assert refusal == "" or refusal.isprintable()
    assert pixels.dtype == np.uint8
    assert pixels.shape[2:] == (3,)
    if not refusal:
        assert width * height <= CAP
        assert target is not None or pixels.shape[:2] == (height, width)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(LabelwrightError):
        decode_image(data, max_pixels=CAP)


# --- warnings and threads -------------------------------------------------------------------------


def test_warnings_about_odd_files_are_kept_quiet_in_every_thread() -> None:
    # A count of values past the end of the file: Pillow warns of corrupt EXIF data.
    odd = bytearray(encoded(picture(), "TIFF", exif=EXIF))
    place = odd.index(struct.pack("<HH", 0x010E, 2))
    odd[place + 4 : place + 8] = struct.pack("<I", 10_000)
    with pytest.warns(UserWarning, match="Tag data larger|corrupt EXIF"):
        Image.open(io.BytesIO(bytes(odd))).getexif()
    done: list[Any] = []

    def decode() -> None:
        done.extend(decode_image(bytes(odd), max_pixels=CAP).shape for _ in range(10))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=decode) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not caught
    assert done == [(12, 8, 3)] * 40

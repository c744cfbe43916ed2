"""What a file is, by its first bytes: never by its name, nor by what whoever sent it says."""

from __future__ import annotations

import re
from dataclasses import dataclass

from labelwright.errors import InputUnsupportedFormat

HEAD = 4096
"""Bytes that are enough to tell."""


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file that may be kept and shown."""

    name: str
    mime: str
    ending: str
    kinds: tuple[str, ...]
    """Of which kinds of input it may be."""


def _format(name: str, mime: str, ending: str, *kinds: str) -> Format:
    return Format(name, mime, ending, kinds)


_MP4 = _format("MP4", "video/mp4", "mp4", "video", "audio")
"""A file of sound alone may call itself so too: which it is stands deep in it."""

# A frame of layer III; its third byte has a bit rate and a sampling rate that there are.
_MP3_FRAME = (
    rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]["
    + b"".join(re.escape(bytes([rate << 4])) + b"-" + re.escape(bytes([rate << 4 | 11])) for rate in range(1, 15))
    + rb"]"
)

_FORMATS = (
    (rb"\xff\xd8\xff", _format("JPEG", "image/jpeg", "jpg", "image")),
    (rb"\x89PNG\r\n\x1a\n", _format("PNG", "image/png", "png", "image")),
    (rb"II\*\0|MM\0\*", _format("TIFF", "image/tiff", "tif", "image")),
    (rb"BM.{4}\0\0\0\0", _format("BMP", "image/bmp", "bmp", "image")),
    (rb"RIFF.{4}WEBP", _format("WEBP", "image/webp", "webp", "image")),
    (rb"GIF8[79]a", _format("GIF", "image/gif", "gif", "image", "video")),
    (rb"RIFF.{4}AVI[ X\x19]", _format("AVI", "video/x-msvideo", "avi", "video")),
    (rb"0&\xb2u\x8ef\xcf\x11\xa6\xd9\0\xaa\0b\xcel", _format("WMV", "video/x-ms-wmv", "wmv", "video")),
    (rb".{4}ftypqt  |[\0-\x1f].{3}(?:moov|mdat|wide|pnot)", _format("MOV", "video/quicktime", "mov", "video")),
    (rb".{4}ftyp3g[2p]", _format("3GPP", "video/3gpp", "3gp", "video", "audio")),
    (rb".{4}ftypM4[ABP] ", _format("M4A", "audio/mp4", "m4a", "audio")),
    (rb".{4}ftyp(?!avif|avis|heic|heix|heim|heis|hevc|hevx|mif1|msf1|jxl )", _MP4),
    (rb"RIFF.{4}WAVE|RF64.{4}WAVE", _format("WAV", "audio/wav", "wav", "audio")),
    (rb"fLaC", _format("FLAC", "audio/flac", "flac", "audio")),
    (rb"OggS\0", _format("OGG", "audio/ogg", "ogg", "audio")),
    (rb"ID3[\x02-\x04]|" + _MP3_FRAME, _format("MP3", "audio/mpeg", "mp3", "audio")),
)
_PATTERNS = tuple((re.compile(pattern, re.DOTALL), found) for pattern, found in _FORMATS)

_OTHERS = tuple(
    (re.compile(pattern, re.DOTALL), name)
    for pattern, name in (
        (rb"\x1a\x45\xdf\xa3", "Matroska or WebM"),
        (rb"FLV\x01", "Flash video"),
        (rb"\0\0\x01[\xb3\xba]", "MPEG-1 or MPEG-2 video"),
        (rb"FORM.{4}AIF", "AIFF"),
        (rb"#!AMR", "AMR"),
        (rb"\xff[\xf1\xf9]", "AAC without a container"),
        (rb".{4}ftypavi", "AVIF"),
        (rb".{4}ftyp(?:hei|hev|mif1|msf1)", "HEIC"),
        (rb"%PDF", "PDF"),
        (rb"PK\x03\x04", "ZIP"),
        (rb"\x1f\x8b", "gzip"),
        (rb"#EXTM3U", "a playlist"),
        (rb"\s*<", "a web page or XML"),
        (rb"\s*[\[{]", "JSON"),
    )
)

LEGAL = {
    "image": "JPEG, PNG, TIFF, BMP, WEBP and GIF",
    "video": "AVI, MP4, MOV, WMV, 3GPP and GIF",
    "audio": "MP3, WAV, FLAC, OGG and M4A",
}


def sniff(head: bytes) -> Format | None:
    """The format that a file's first bytes announce; None for one that is none of ours, a text among them."""
    return next((found for pattern, found in _PATTERNS if pattern.match(head)), None)


def check(kind: str, head: bytes) -> None:
    """Refuse a video, an audio or a text whose first bytes say that it is something else.

    Images are not looked at: who decodes them knows better.

    Raises:
        InputUnsupportedFormat: says what was found, and what is legal.
    """
    if kind == "image":
        return
    found = sniff(head)
    if kind == "text":
        # Not the first bytes alone: a text may begin as it likes.
        if b"\0" in head or (found is not None and not _is_utf8(head)):
            name = found.name if found is not None else "a binary file"
            raise InputUnsupportedFormat(f"this looks like {name}, not like a text; plain text in UTF-8 is legal")
        return
    if found is None or kind not in found.kinds:
        name = found.name if found is not None else _other(head)
        raise InputUnsupportedFormat(f"this looks like {name}, not like {_a(kind)}; {LEGAL[kind]} are legal")


def _is_utf8(head: bytes) -> bool:
    # The last character may be cut.
    return not head.decode("utf-8", errors="replace").rstrip("\ufffd").count("\ufffd")


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind} that can be read"


def _other(head: bytes) -> str:
    if not head:
        return "an empty file"
    return next((name for pattern, name in _OTHERS if pattern.match(head)), "nothing that is known")

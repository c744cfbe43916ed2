"""What a browser is told about pages: what they may load, and who may frame or read them."""

from __future__ import annotations

from urllib.parse import urlsplit

from labelwright.config import Settings


def page_headers(settings: Settings) -> dict[str, str]:
    """The headers of a page. Nothing runs or is loaded that is not a file of ours; media may lie at public_url."""
    media = " ".join(["'self'", "data:", "blob:", *_media_origin(settings)])
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {media}; media-src {media}; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    return {"content-security-policy": policy, "cache-control": "no-store", **COMMON}


COMMON = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
"""Of every answer of this room."""

DATA_HEADERS = {"content-security-policy": "default-src 'none'", "cache-control": "no-store", **COMMON}
"""Of what is read by the pages' scripts."""


def _media_origin(settings: Settings) -> list[str]:
    if not settings.public_url:
        return []
    parts = urlsplit(settings.public_url)
    return [f"{parts.scheme}://{parts.netloc}"]

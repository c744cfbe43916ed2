"""What the programs beside this one have in common: the last line that they print is what they saw."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

USER = os.environ["CLARIFAI_USER_ID"]
PAT = os.environ["CLARIFAI_PAT"]
BASE = os.environ["CLARIFAI_API_BASE"]
PHOTOS_URL = os.environ["PHOTOS_URL"]
PHOTOS_FOLDER = os.environ["PHOTOS_FOLDER"]


@contextmanager
def facts() -> Iterator[dict[str, Any]]:
    """A dictionary to fill; printed at the end."""
    saw: dict[str, Any] = {}
    yield saw
    print(json.dumps(saw))


def refusal(call: Callable[[], Any]) -> str:
    """The text of the exception that a call must raise."""
    try:
        call()
    except Exception as e:  # noqa: BLE001 (the SDK raises nothing more precise)
        return str(e)
    raise SystemExit("a call went through that should have been refused")

"""What listings share: finding resources by words and wild cards, and the order asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any


def like(text: str, pattern: str) -> bool:
    """Whether a text is the pattern, where ``*`` stands for any characters; case does not count."""
    # A bracket is no wild card here.
    return fnmatchcase(text.casefold(), pattern.casefold().replace("[", "[[]"))


def searched(texts: Iterable[str], keywords: str) -> bool:
    """Whether each of the keywords begins a word of the texts; case does not count."""
    text = " ".join(texts).casefold()
    # An id such as general-image_v2 is one word, and so are its parts.
    words = [*text.split(), *re.findall(r"[^\W_]+", text)]
    return all(any(w.startswith(k) for w in words) for k in keywords.casefold().split())


def order_of(request: Any, *keys: str) -> tuple[str, bool]:
    """The key that a listing's ``sort_by_*`` flags name, and whether it ascends.

    Oldest first where none of the keys is asked for: pages then stay the same while resources change. A key
    that is asked for sorts downwards unless ``sort_ascending`` is set.
    """
    asked = next((key for key in keys if getattr(request, f"sort_by_{key}")), None)
    return (asked, bool(request.sort_ascending)) if asked else ("created_at", True)

"""Finding resources by words and wild cards, as listings offer it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase


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

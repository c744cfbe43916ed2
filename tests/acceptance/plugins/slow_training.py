"""A training that waits while there is a file, so that a test can end its process in the middle."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from labelwright.training import heads

_fit = heads.fit


def _slow(*args: Any, progress: Any, **more: Any) -> Any:
    waits = Path(os.environ["SLOW_TRAINING"])
    while waits.exists():
        progress(0.5, "waiting")
        time.sleep(0.02)
    return _fit(*args, progress=progress, **more)


heads.fit = _slow  # type: ignore[assignment]

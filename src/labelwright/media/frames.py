"""A picture out of a video, taken in a process of its own: such decoders are large, native, and fed by strangers."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from labelwright.errors import InputFailed, InputUnsupportedFormat

THUMBNAIL = "thumbnail"
SIDE = 1024
"""Pixels that the longer side of a thumbnail has at most."""
AT = 1000
"""Milliseconds into the video; of a shorter one it is the first frame."""
SECONDS = 20.0
"""That it may take. A film of 4K took 4 on two busy cores, a small one 1, which is the start of the process."""
MEMORY = 4 * 2**30
"""Bytes of address space that the process may have."""

# Files alone, and the formats that we take: a playlist may name other files, and addresses.
_OPTIONS = "protocol_whitelist;file|format_whitelist;avi,mov,asf,gif"


def thumbnail(video: Path, *, max_pixels: int) -> bytes:
    """A frame of the video file, as JPEG.

    Args:
        max_pixels: width times height that the video may have.

    Raises:
        InputUnsupportedFormat: no frame could be read.
        InputFailed: that took longer than `SECONDS`.
    """
    out = video.with_name(f"{video.name}.jpg")
    # Nothing of the settings: a token may be among them.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LABELWRIGHT_")}
    environment["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = _OPTIONS
    try:
        done = subprocess.run(  # noqa: S603 (our own module; the file's name is ours too)
            [sys.executable, "-m", __name__, str(video), str(out), str(max_pixels)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode == 0:
            return out.read_bytes()
    except subprocess.TimeoutExpired:
        raise InputFailed(f"no frame could be read within {SECONDS:g} seconds") from None
    except FileNotFoundError:
        pass
    finally:
        with contextlib.suppress(FileNotFoundError):
            out.unlink()
    raise InputUnsupportedFormat("no frame of the video can be read")


def _take(video: str, out: str, max_pixels: int) -> int:
    """What the process does; returns its exit status."""
    import cv2

    from labelwright.media.variants import encode

    cv2.setNumThreads(1)
    for milliseconds in (AT, 0):
        capture = cv2.VideoCapture(video, cv2.CAP_FFMPEG)
        width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if not capture.isOpened() or not 0 < width * height <= max_pixels:
            return 1
        if milliseconds:
            capture.set(cv2.CAP_PROP_POS_MSEC, milliseconds)
        there, frame = capture.read()
        capture.release()
        if there:
            Path(out).write_bytes(encode(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), SIDE))  # type: ignore[arg-type]
            return 0
    return 1


def _limit() -> None:
    """Bound what the process may take, where the system can."""
    try:
        import resource
    except ImportError:
        return
    for what, most in (
        (resource.RLIMIT_CPU, int(SECONDS) * 2),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    _limit()
    sys.exit(_take(sys.argv[1], sys.argv[2], int(sys.argv[3])))

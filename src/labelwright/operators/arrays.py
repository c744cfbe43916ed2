"""Arrays as bytes, without a pickle: a JSON header and float32 blocks, in the layout of safetensors files.

Eight bytes say how long the header is (little-endian), the header says each array's shape and place, the arrays
follow without gaps. Reading allocates no more than there are bytes, whatever the header claims.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_LONGEST_HEADER: Final = 1 << 20
_MOST_AXES: Final = 3
_ABOUT = "labelwright"


def pack(about: Mapping[str, Any], arrays: Mapping[str, Floats]) -> bytes:
    """Put arrays and what is to be known about them (plain JSON) into bytes; the same bytes for the same content."""
    header: dict[str, Any] = {"__metadata__": {_ABOUT: json.dumps(about, sort_keys=True, allow_nan=False)}}
    blocks, at = [], 0
    for name in sorted(arrays):
        block = np.ascontiguousarray(arrays[name], dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(arrays[name].shape), "data_offsets": [at, at + len(block)]}
        blocks.append(block)
        at += len(block)
    head = json.dumps(header, sort_keys=True).encode()
    # Padded so that the blocks begin at a multiple of eight, as the layout wants it.
    head += b" " * (-len(head) % 8)
    return len(head).to_bytes(8, "little") + head + b"".join(blocks)


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, Floats]]:
    """The reverse of `pack`. The arrays are read-only views of ``data``.

    Raises:
        ValueError: these are no such bytes, or they are damaged; the message says what is wrong with them.
    """
    if len(data) < 8:
        raise ValueError(f"found {len(data)} bytes, too few for a header")
    size = int.from_bytes(data[:8], "little")
    if size > min(_LONGEST_HEADER, len(data) - 8):
        raise ValueError(f"the header claims {size} bytes, and there are {len(data) - 8}: truncated, or another format")
    try:
        header = json.loads(data[8 : 8 + size])
        about = json.loads(header.pop("__metadata__")[_ABOUT])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
        raise ValueError(f"the header can't be read: {type(e).__name__}") from e
    if not isinstance(about, dict):
        raise ValueError("the header says nothing about its arrays")
    body = memoryview(data)[8 + size :]
    arrays, at = {}, 0
    for name, (shape, begin, end) in sorted(
        ((name, _entry(name, said)) for name, said in header.items()), key=lambda entry: entry[1][1:]
    ):
        # Without gaps and overlaps, nothing can be hidden or be read twice.
        if begin != at or end - begin != 4 * math.prod(shape) or end > len(body):
            raise ValueError(f"array {name!r} of shape {shape} does not fit into its place ({begin} to {end})")
        arrays[name] = np.frombuffer(body[begin:end], dtype="<f4").reshape(shape)
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"array {name!r} holds what is no finite number")
        at = end
    if at != len(body):
        raise ValueError(f"{len(body) - at} bytes are left over behind the arrays")
    return about, arrays


def _entry(name: str, said: Any) -> tuple[tuple[int, ...], int, int]:
    try:
        shape, (begin, end), dtype = said["shape"], said["data_offsets"], said["dtype"]
        numbers = [*shape, begin, end]
    except (TypeError, KeyError, ValueError) as e:
        raise ValueError(f"the header's entry for {name!r} can't be read") from e
    if dtype != "F32":
        raise ValueError(f"array {name!r} is of type {dtype!r}; legal is F32")
    if len(shape) > _MOST_AXES or any(type(n) is not int or not 0 <= n < 2**40 for n in numbers):
        raise ValueError(f"array {name!r} has no legal shape and place")
    return tuple(shape), begin, end

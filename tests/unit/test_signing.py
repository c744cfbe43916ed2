"""Signed addresses: what is signed opens, and nothing near it does."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelwright.media.signing import Signer, has_ended

SIGNER = Signer(lambda: b"k" * 32)
PATH, EXPIRES = "inputs/12", 1_900_000_000
GOOD = SIGNER.sign(PATH, EXPIRES)


@given(st.text(), st.integers(0, 10**11))
def test_what_is_signed_is_known_again(path: str, expires: int) -> None:
    path = path.encode("utf-8", "replace").decode()
    assert SIGNER.is_signed(path, str(expires), SIGNER.sign(path, expires))


@given(st.text(), st.text(), st.text())
def test_no_words_of_a_stranger_are_signed_or_raise(path: str, expires: str, signature: str) -> None:
    path = path.encode("utf-8", "replace").decode()
    assert not SIGNER.is_signed(path, expires, signature)


@pytest.mark.parametrize("at", range(len(GOOD)))
def test_each_character_counts(at: int) -> None:
    other = "A" if GOOD[at] != "A" else "B"
    assert not SIGNER.is_signed(PATH, str(EXPIRES), GOOD[:at] + other + GOOD[at + 1 :])


@pytest.mark.parametrize(
    ("path", "expires", "signature"),
    [
        ("inputs/1", str(EXPIRES), GOOD),
        ("inputs/123", str(EXPIRES), GOOD),
        (PATH, str(EXPIRES + 1), GOOD),
        # The digits of one are not to be taken for those of the other.
        ("2\ninputs/12", str(EXPIRES)[:-1], GOOD),
        (PATH, f"{EXPIRES}.0", GOOD),
        (PATH, f"-{EXPIRES}", GOOD),
        (PATH, "١٩٠٠٠٠٠٠٠٠", GOOD),
        (PATH, "9" * 5000, GOOD),
        (PATH, "", GOOD),
        (PATH, str(EXPIRES), ""),
        (PATH, str(EXPIRES), GOOD + "="),
        (PATH, str(EXPIRES), GOOD[:-1]),
        (PATH, str(EXPIRES), GOOD * 1000),
        (PATH, str(EXPIRES), "\ud800"),
    ],
)
def test_another_path_time_or_signature_is_not_signed(path: str, expires: str, signature: str) -> None:
    assert SIGNER.is_signed(PATH, str(EXPIRES), GOOD)
    assert not SIGNER.is_signed(path, expires, signature)


def test_another_secret_signs_otherwise() -> None:
    assert not Signer(lambda: b"K" * 32).is_signed(PATH, str(EXPIRES), GOOD)


def test_the_secret_is_asked_for_once_and_not_before_it_is_needed() -> None:
    asked = []

    def secret() -> bytes:
        asked.append(1)
        time.sleep(0.01)
        return b"s" * 32

    signer = Signer(secret)
    assert asked == []
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: signer.ready().sign(PATH, EXPIRES), range(8)))
    assert asked == [1]
    assert len(made) == 1


def test_a_time_that_has_come_has_ended() -> None:
    assert has_ended(int(time.time()))
    assert not has_ended(int(time.time()) + 100)

from __future__ import annotations

import os
import secrets
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelwright.errors import ConfigurationError, DoesNotExist, InvalidRequest, StoreError
from labelwright.media.blobs import BlobStore


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobStore]:
    if request.param == "file":
        yield BlobStore((tmp_path / "media").as_uri())
    else:
        made = BlobStore(f"memory://{secrets.token_hex(8)}/media")
        yield made
        made.delete_prefix("a")


@pytest.fixture
def local(tmp_path: Path) -> BlobStore:
    return BlobStore((tmp_path / "media").as_uri())


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


# --- the same on every storage --------------------------------------------------------------------


def test_what_is_put_is_got(store: BlobStore) -> None:
    store.put("a/b/c.jpg", b"one")
    assert store.get("a/b/c.jpg") == b"one"
    store.put("a/b/c.jpg", b"two, longer")
    assert store.get("a/b/c.jpg") == b"two, longer"
    store.put("a/empty", b"")
    assert store.get("a/empty") == b""


@given(size=st.integers(0, 700_000), start=st.integers(0, 800_000), length=st.integers(0, 800_000))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_part_is_read_piece_by_piece(store: BlobStore, size: int, start: int, length: int) -> None:
    content = bytes(i % 251 for i in range(1000)) * (size // 1000 + 1)
    store.put("a/long", content[:size])
    pieces = list(store.pieces("a/long", start, length))
    assert b"".join(pieces) == content[:size][start : start + length]
    assert all(pieces)
    assert store.size("a/long") == size
    assert store.head("a/long", 10) == content[:size][:10]


def test_of_what_is_not_there_nothing_can_be_read(store: BlobStore) -> None:
    store.put("a/b", b"x")
    for key in ("a/c", "a", "a/b/c", "other/x"):
        for read in (lambda k: store.size(k), lambda k: store.head(k, 1), lambda k: list(store.pieces(k, 0, 1))):
            with pytest.raises(DoesNotExist, match=key):
                read(key)
    with pytest.raises(InvalidRequest):
        store.size("../a")


def test_what_is_not_there_does_not_exist(store: BlobStore) -> None:
    store.put("a/b", b"x")
    for key in ("a/c", "a", "a/b/c", "other/x"):
        assert not store.exists(key)
        with pytest.raises(DoesNotExist, match=key):
            store.get(key)
        store.delete(key)
        store.delete_prefix("other")
    assert store.exists("a/b")


def test_a_deleted_key_is_gone(store: BlobStore) -> None:
    store.put("a/b", b"x")
    store.delete("a/b")
    assert not store.exists("a/b")
    store.put("a/b", b"y")
    assert store.get("a/b") == b"y"


def test_a_prefix_is_a_folder(store: BlobStore) -> None:
    store.put_many([(k, b"x") for k in ("a/b/1", "a/b/c/2", "a/bc", "a/b2/1", "a/bb")])
    store.delete_prefix("a/b")
    assert [k for k in ("a/b/1", "a/b/c/2", "a/bc", "a/b2/1", "a/bb") if store.exists(k)] == ["a/bc", "a/b2/1", "a/bb"]
    store.delete_prefix("a/bc")
    assert store.exists("a/bc")
    store.put("a/b/1", b"again")
    assert store.get("a/b/1") == b"again"


def test_many_are_put_at_once(store: BlobStore) -> None:
    items = [(f"a/{i % 7}/{i}", b"%d" % i) for i in range(150)]
    store.put_many(iter(items))
    assert [store.get(k) for k, _ in items] == [data for _, data in items]
    store.put_many([("a/twice", b"first"), ("a/twice", b"last")])
    assert store.get("a/twice") == b"last"
    store.put_many([])


@pytest.mark.parametrize(
    "key",
    ["", "/", "/a", "a/", "a//b", "..", "a/../b", "../a", "a/..", ".", "a/./b", ".hidden", "a/.part", "a b", "a\\b",
     "a\n", "a\0", "\u00e9", "a?b", "C:/x", "file:///a", "*", "a" * 201, "/".join(["abc"] * 200)],
)  # fmt: skip
def test_an_illegal_key_is_refused(store: BlobStore, key: str) -> None:
    calls: list[Any] = [store.get, store.exists, store.delete, store.delete_prefix, lambda k: store.put(k, b"x")]
    for call in calls:
        with pytest.raises(InvalidRequest, match="not a legal media key"):
            call(key)


KEYS = st.lists(st.text("ab0-_.", min_size=1, max_size=3).filter(lambda s: s[0] != "."), min_size=1, max_size=3).map(
    "/".join
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(items=st.dictionaries(KEYS, st.binary(max_size=20), max_size=8), gone=KEYS)
def test_a_store_is_a_dictionary(tmp_path: Path, items: dict[str, bytes], gone: str) -> None:
    # A folder can't be a file: keys that lie below other keys are left out.
    items = {k: v for k, v in items.items() if not any(o.startswith(k + "/") for o in items)}
    store = BlobStore(str(tmp_path / secrets.token_hex(8)))
    store.put_many(items.items())
    assert {k: store.get(k) for k in items} == items
    store.delete(gone)
    store.delete_prefix(gone)
    kept = {k for k in items if k != gone and not k.startswith(gone + "/")}
    assert {k for k in items if store.exists(k)} == kept


# --- a folder -------------------------------------------------------------------------------------


def test_a_file_url_and_a_path_mean_the_same_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a b%20c" / "media"
    BlobStore(folder.as_uri()).put("k", b"x")
    assert (folder / "k").read_bytes() == b"x"
    assert BlobStore(str(folder)).get("k") == b"x"


def test_nothing_but_the_keys_is_left(local: BlobStore, tmp_path: Path) -> None:
    local.put_many([(f"x/{i}", b"x") for i in range(5)])
    local.put("x/0", b"y")
    assert files(tmp_path / "media") == [f"x/{i}" for i in range(5)]
    local.delete_prefix("x")
    assert not (tmp_path / "media" / "x").exists()


def test_the_umask_decides_who_may_read(local: BlobStore, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        local.put("k", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "media" / "k").stat().st_mode) == 0o640


class Log:
    """Records the calls that make a write durable, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.lines: list[str] = []
        self._root, self._names = root, {}  # type: tuple[Path, dict[int, str]]
        real_open, real_fsync, real_replace = os.open, os.fsync, os.replace

        def name(path: str) -> str:
            shown = os.path.relpath(path, root)
            return os.path.join(os.path.dirname(shown), "*") if shown.endswith(".part") else shown

        def open_(path: str, *args: Any, **kwargs: Any) -> int:
            fd = real_open(path, *args, **kwargs)
            self._names[fd] = name(path)
            return fd

        def fsync(fd: int) -> None:
            real_fsync(fd)
            self.lines.append(f"sync {self._names[fd]}")

        def replace(source: str, target: str) -> None:
            real_replace(source, target)
            self.lines.append(f"rename {name(target)}")

        monkeypatch.setattr(os, "open", open_)
        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "replace", replace)


def test_file_then_name_then_folder_are_synced(
    local: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(monkeypatch, tmp_path)
    local.put("a/b/k", b"x")
    made = ["sync .", "sync media", "sync media/a"]
    assert log.lines == [*made, "sync media/a/b/*", "rename media/a/b/k", "sync media/a/b"]
    log.lines.clear()
    local.put("a/b/k", b"y")
    assert log.lines == ["sync media/a/b/*", "rename media/a/b/k", "sync media/a/b"]


def test_a_folder_that_another_process_made_is_synced_once(
    local: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "media" / "a").mkdir(parents=True)
    log = Log(monkeypatch, tmp_path)
    local.put_many([("a/1", b"x"), ("a/2", b"y")])
    assert log.lines == [
        "sync media", "sync media/a/*", "sync media/a/*", "rename media/a/1", "rename media/a/2", "sync media/a",
    ]  # fmt: skip


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_failure_leaves_the_old_bytes_and_no_litter(
    local: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    local.put("a/k", b"old")

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, step, fail)
        with pytest.raises(StoreError, match="No space left on device"):
            local.put_many([("a/k", b"new"), ("a/l", b"new")])
    assert files(tmp_path / "media") == ["a/k"]
    assert local.get("a/k") == b"old"


def test_a_short_write_is_continued(local: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:3]))
    local.put("k", b"0123456789")
    assert local.get("k") == b"0123456789"


def test_a_key_below_a_key_is_refused_by_the_folder(local: BlobStore) -> None:
    local.put("a/b", b"x")
    for key in ("a/b/c", "a"):
        with pytest.raises(StoreError, match="media can't be written"):
            local.put(key, b"x")


def test_readers_never_see_half_a_value(local: BlobStore) -> None:
    values = [bytes([i]) * 300_000 for i in range(8)]
    local.put("k", values[0])
    over = threading.Event()
    seen: list[bytes] = []

    def read() -> None:
        while not over.is_set():
            got = local.get("k")
            seen.append(got[:1] if got == got[:1] * 300_000 else b"half")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for value in values * 5:
            local.put("k", value)
    finally:
        over.set()
        reader.join()
    assert seen
    assert b"half" not in seen


def test_puts_and_prefix_deletes_from_several_threads_get_along(local: BlobStore) -> None:
    finished: list[int] = []

    def write(who: int) -> None:
        for i in range(40):
            local.put(f"a/{who}/{i}", b"x")
            local.delete_prefix(f"a/{who}")
        finished.append(who)

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(finished) == [0, 1, 2, 3]


def test_a_folder_that_vanishes_is_made_again(local: BlobStore, tmp_path: Path) -> None:
    local.put("a/b", b"x")
    BlobStore((tmp_path / "media").as_uri()).delete_prefix("a")
    local.put("a/b", b"y")
    assert local.get("a/b") == b"y"


# --- configuration --------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["nothing://bucket/x", "file://host/share", "file://relative"])
def test_a_url_that_can_t_be_used_is_a_matter_of_configuration(url: str) -> None:
    with pytest.raises(ConfigurationError):
        BlobStore(url)

"""Hosted media: from the bytes that were posted, through the addresses in the replies, back to the same bytes."""

from __future__ import annotations

import concurrent.futures
import io
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from clarifai_grpc.channel.clarifai_channel import ClarifaiChannel
from clarifai_grpc.grpc.api import resources_pb2, service_pb2, service_pb2_grpc
from clarifai_grpc.grpc.api.resources_pb2 import Audio, Data, Image, Input, Region, Text, Video
from PIL import Image as Pillow

from labelwright import config
from labelwright.annotator.worker import Annotator
from labelwright.ids import new_id
from labelwright.media import frames, variants
from labelwright.media.blobs import BlobStore
from labelwright.media.signing import Signer
from labelwright.protocol import hosted, hosted_sizes
from labelwright.protocol import server as grpc_server
from labelwright.protocol.dispatch import Server
from labelwright.protocol.frontdoor import Upstream
from labelwright.protocol.http import build_app
from labelwright.protocol.loop import EdgeLoop
from labelwright.protocol.methods import methods
from labelwright.protocol.resources import predictions
from labelwright.store import apps, secrets, users
from tests.conftest import Client
from tests.unit.some_media import Site, loopback_site, noise, png, video, wav

RED = (200, 30, 30)
BROKEN = b"\x89PNG\r\n\x1a\n and nothing more"


@dataclass
class Door(Client):
    """An official client that came by the one address, with an app of its own."""

    http: httpx.Client

    def add(self, *inputs: Input) -> list[Input]:
        request = service_pb2.PostInputsRequest(inputs=inputs)
        return list(self.call("PostInputs", request).inputs)

    def seen(self, input_id: str) -> Data:
        found: Data = self.call("GetInput", service_pb2.GetInputRequest(input_id=input_id)).input.data
        return found

    def fetch(self, address: str, method: str = "GET", key: str | None = None, **headers: str) -> httpx.Response:
        """Ask for an address, with a key if there is one."""
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        if key is not None:
            named["authorization"] = f"Key {key}"
        return self.http.request(method, address, headers=named)

    def size(self, media: Any, size: str, **more: Any) -> httpx.Response:
        """Ask for a size as clients put its address together, with the client's own key."""
        return self.fetch(f"{media.hosted.prefix}/{size}/{media.hosted.suffix}", **{"key": self.token, **more})


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    return config.load(home=tmp_path / "home", max_pixels=1_000_000, allow_private_urls=True)


@pytest.fixture
def door(server: Server) -> Iterator[Door]:
    calls, _health = grpc_server.build(server)
    port = calls.add_insecure_port("127.0.0.1:0")
    calls.start()
    edge = EdgeLoop(build_app(lambda: True, hosted.routes(server)))
    edge.start(("127.0.0.1", 0), None, Upstream(("127.0.0.1", port)))
    user_id, token = f"user-{new_id()[-8:]}", new_id()
    with server.store.write() as conn:
        users.ensure_user(conn, user_id)
        users.add_key(conn, user_id=user_id, token=token)
    channel = ClarifaiChannel.get_insecure_grpc_channel(base="127.0.0.1", port=edge.listen_port)
    ids = resources_pb2.UserAppIDSet(user_id=user_id, app_id="app")
    with httpx.Client(timeout=60) as http:
        made = Door(service_pb2_grpc.V2Stub(channel), server, user_id, token, ids, http)
        new_app(made, "app")
        yield made
    channel.close()
    calls.stop(0).wait()
    edge.stop(1)


@pytest.fixture
def site() -> Iterator[Site]:
    with loopback_site() as opened:
        yield opened


@pytest.fixture
def annotator(server: Server) -> Annotator:
    return Annotator(server.settings, server.store, server.blobs)


def new_app(door: Door, app_id: str) -> None:
    empty = resources_pb2.Workflow(id="Empty", app_id="main", user_id="clarifai")
    app = resources_pb2.App(id=app_id, default_workflow=empty)
    request = service_pb2.PostAppsRequest(apps=[app])
    request.user_app_id.user_id = door.user_id
    door.call("PostApps", request)


def another_users_token(server: Server) -> str:
    token = new_id()
    with server.store.write() as conn:
        users.ensure_user(conn, "stranger")
        users.add_key(conn, user_id="stranger", token=token)
    return token


def image(content: bytes, id: str = "a") -> Input:
    return Input(id=id, data=Data(image=Image(base64=content)))


def said(reply: httpx.Response) -> tuple[bytes, list[tuple[str, str]]]:
    """All that a reply says, but for what each has of its own."""
    req_id = reply.json()["status"]["req_id"]
    return reply.content.replace(req_id.encode(), b""), [h for h in reply.headers.multi_items() if h[0] != "date"]


def code(response: httpx.Response) -> tuple[int, int]:
    """HTTP status, and the API's."""
    return response.status_code, response.json()["status"]["code"]


def size_of(content: bytes) -> tuple[int, int]:
    with Pillow.open(io.BytesIO(content)) as opened:
        return opened.size


# --- the addresses in the replies -----------------------------------------------------------------


def test_what_was_sent_as_bytes_can_be_downloaded_without_a_key(door: Door) -> None:
    content = png(RED)
    (posted,) = door.add(image(content))
    for data in (posted.data, door.seen("a")):
        assert data.image.base64 == b""
        got = door.fetch(data.image.url)
        assert (got.status_code, got.content) == (200, content)
        assert got.headers["content-type"] == "image/png"


def test_every_reply_that_shows_an_input_shows_its_addresses(door: Door) -> None:
    (posted,) = door.add(image(png(RED)))
    shown = {
        "PostInputs": posted,
        "GetInput": door.call("GetInput", service_pb2.GetInputRequest(input_id="a")).input,
        "ListInputs": door.call("ListInputs", service_pb2.ListInputsRequest()).inputs[0],
        "StreamInputs": door.call("StreamInputs", service_pb2.StreamInputsRequest()).inputs[0],
        "PatchInputs": door.call(
            "PatchInputs",
            service_pb2.PatchInputsRequest(
                action="merge", inputs=[Input(id="a", data=Data(concepts=[resources_pb2.Concept(id="c", value=1)]))]
            ),
        ).inputs[0],
    }
    base = f"http://127.0.0.1:{door.http.get(posted.data.image.url).url.port}/hosted"
    for rpc, one in shown.items():
        media = one.data.image
        assert (media.hosted.prefix, list(media.hosted.sizes)) == (base, ["orig", "large", "small", "tiny"]), rpc
        assert media.url.startswith(f"{base}/orig/{media.hosted.suffix}?"), rpc
        assert door.fetch(media.url).status_code == 200, rpc


def test_a_page_costs_no_statement_more(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    door.add(*(image(png(RED), f"i{n}") for n in range(128)))

    def never(*_: object) -> bytes:
        raise AssertionError("the secret is asked for once")

    monkeypatch.setattr(secrets, "get_or_create", never)
    signed = []
    sign = Signer.sign

    def count(self: Signer, path: str, expires: int) -> str:
        signed.append(path)
        return sign(self, path, expires)

    monkeypatch.setattr(Signer, "sign", count)
    reply = door.call("ListInputs", service_pb2.ListInputsRequest(per_page=128))
    assert len({i.data.image.url for i in reply.inputs}) == 128
    assert len(signed) == 128


def test_an_input_by_url_keeps_its_url_and_is_hosted_once_it_is_kept(
    door: Door, site: Site, annotator: Annotator
) -> None:
    content = png(RED)
    url = site.url("/a.png", content)
    (posted,) = door.add(Input(id="a", data=Data(image=Image(url=url))))
    for data in (posted.data, door.seen("a")):
        assert data.image.url == url
        assert not data.image.HasField("hosted")
    assert annotator.step() == 1
    media = door.seen("a").image
    assert media.url == url
    assert door.size(media, "orig").content == content
    assert size_of(door.size(media, "tiny").content) == (24, 16)
    assert code(door.size(media, "orig", key=None)) == (404, 11101)


def test_a_previews_echo_has_no_bytes_anywhere() -> None:
    crop = Data(image=Image(base64=b"crop", url="http://x/crop"))
    data = Data(image=Image(base64=b"whole", decoded_bytes=b"pixels"), regions=[Region(id="r", data=crop)])
    shown = Input()
    predictions._echo(shown, Input(id="a", data=data))
    assert shown == Input(
        id="a", data=Data(image=Image(), regions=[Region(id="r", data=Data(image=Image(url="http://x/crop")))])
    )


@pytest.mark.parametrize(("public", "prefix"), [("https://media.example.org/x/", "https://media.example.org/x/hosted")])
def test_the_public_url_comes_first(door: Door, public: str, prefix: str) -> None:
    object.__setattr__(door.server, "settings", door.server.settings.model_copy(update={"public_url": public}))
    (posted,) = door.add(image(png(RED)))
    assert posted.data.image.hosted.prefix == prefix
    assert posted.data.image.url.startswith(f"{prefix}/orig/inputs/")


def test_where_no_http_is_spoken_there_are_no_addresses(door: Door) -> None:
    object.__setattr__(door.server, "settings", door.server.settings.model_copy(update={"grpc": "127.0.0.1:1"}))
    (posted,) = door.add(image(png(RED)))
    assert posted.data.HasField("image")
    assert (posted.data.image.url, posted.data.image.HasField("hosted")) == ("", False)


# --- who may see it -------------------------------------------------------------------------------


def test_the_wall(door: Door, server: Server) -> None:
    (posted,) = door.add(image(png(RED)))
    media, stranger = posted.data.image, another_users_token(server)
    nowhere = f"{media.hosted.prefix}/orig/inputs/999999"
    address = f"{media.hosted.prefix}/orig/{media.hosted.suffix}"
    assert door.fetch(address, key=door.token).status_code == 200
    assert door.fetch(address, x_clarifai_session_token=door.token).status_code == 200
    # A bad key is told so, without a look at what it asks for.
    for where in (address, nowhere):
        assert code(door.fetch(where, key="f" * 32)) == (401, 11009)
        assert code(door.fetch(where, key="nonsense")) == (401, 11008)
        assert code(door.fetch(where, authorization="Bearer x")) == (401, 11102)
        assert door.fetch(where, key="nonsense").headers["www-authenticate"] == "Key"
    # What another has, and what nobody has, look the same to a stranger, and to one without a key.
    for who in (stranger, None):
        there, not_there = door.fetch(address, key=who), door.fetch(nowhere, key=who)
        assert code(there) == code(not_there) == (404, 11101)
        assert said(there) == said(not_there)
    assert code(door.fetch(nowhere, key=door.token)) == (404, 11101)


@pytest.mark.parametrize("key", ["0", "01", "-1", "x", "1.0", "9" * 18, "9" * 400, "%D9%A1", "1%2F", "+1"])
def test_odd_keys_in_an_address_are_not_there(door: Door, key: str) -> None:
    (posted,) = door.add(image(png(RED)))
    assert code(door.fetch(f"{posted.data.image.hosted.prefix}/orig/inputs/{key}", key=door.token)) == (404, 11101)


def test_a_keys_scopes_and_app_count_as_for_get_input(door: Door, server: Server) -> None:
    (posted,) = door.add(image(png(RED)))
    new_app(door, "other")
    with server.store.write() as conn:
        ours = apps.get(conn, door.user_id, "app")
        other = apps.get(conn, door.user_id, "other")
        assert ours is not None
        assert other is not None
        made = {name: new_id() for name in ("reads", "writes", "here", "there")}
        reading = sorted(methods()["GetInput"].scopes)
        users.add_key(conn, user_id=door.user_id, token=made["reads"], scopes=reading)
        users.add_key(conn, user_id=door.user_id, token=made["writes"], scopes=["Inputs_Add"])
        users.add_key(conn, user_id=door.user_id, token=made["here"], app=ours.pk)
        users.add_key(conn, user_id=door.user_id, token=made["there"], app=other.pk)
    assert door.size(posted.data.image, "orig", key=made["reads"]).status_code == 200
    assert code(door.size(posted.data.image, "orig", key=made["writes"])) == (403, 11007)
    assert door.size(posted.data.image, "orig", key=made["here"]).status_code == 200
    assert code(door.size(posted.data.image, "orig", key=made["there"])) == (404, 11101)


def test_a_signature_is_good_for_the_sizes_of_its_input_alone(door: Door) -> None:
    first, second = (i.data.image for i in door.add(image(png(RED)), image(noise(1), "b")))
    query = first.url.partition("?")[2]
    for size in first.hosted.sizes:
        assert door.fetch(f"{first.hosted.prefix}/{size}/{first.hosted.suffix}?{query}").status_code == 200
    taken = door.fetch(f"{second.hosted.prefix}/orig/{second.hosted.suffix}?{query}")
    assert code(taken) == (401, 11002)
    assert "not this address's" in taken.json()["status"]["details"]
    # The same of an input that is not there: nothing is learnt of which inputs there are.
    assert said(door.fetch(f"{first.hosted.prefix}/orig/inputs/999999?{query}")) == said(taken)


def test_a_changed_address_does_not_open(door: Door) -> None:
    url = door.add(image(png(RED)))[0].data.image.url
    later = re.sub(r"expires=(\d+)", lambda m: f"expires={int(m[1]) + 1}", url)
    cut = url[:-1]
    for changed in (later, cut, f"{url}x", url.replace("signature=", "signature=x")):
        assert code(door.fetch(changed)) == (401, 11002)
    # With a key of one's own it is the key that counts.
    assert door.fetch(later, key=door.token).status_code == 200
    assert code(door.fetch(later, key="nonsense")) == (401, 11008)


def test_an_address_ends_and_says_so(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    url = door.add(image(png(RED)))[0].data.image.url
    seconds = door.server.settings.hosted_seconds
    now = time.time()
    monkeypatch.setattr("labelwright.media.signing.time", SimpleNamespace(time=lambda: now + seconds - 30))
    assert door.fetch(url).status_code == 200
    monkeypatch.setattr("labelwright.media.signing.time", SimpleNamespace(time=lambda: now + seconds + 1))
    ended = door.fetch(url)
    assert code(ended) == (401, 11002)
    assert "this address was good until" in ended.json()["status"]["details"]
    assert "ask for the input anew" in ended.json()["status"]["details"]
    assert door.fetch(url, key=door.token).status_code == 200


def test_servers_of_one_store_know_each_others_signatures(door: Door) -> None:
    url = door.add(image(png(RED)))[0].data.image.url
    path, query = url.partition("/orig/")[2].split("?")
    given = dict(part.split("=") for part in query.split("&"))
    other = Server(
        settings=door.server.settings,
        store=door.server.store,
        blobs=door.server.blobs,
        predictor=door.server.predictor,
        wake=lambda: None,
    )
    assert other.signer.is_signed(path, given["expires"], given["signature"])


def test_one_secret_is_drawn_by_many_at_once(server: Server) -> None:
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        drawn = list(pool.map(lambda _: secrets.get_or_create(server.store, "media"), range(12)))
    assert len(set(drawn)) == 1
    assert len(drawn[0]) == 32
    assert secrets.get_or_create(server.store, "another") != drawn[0]


# --- deleting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["input", "app"])
def test_what_is_deleted_is_gone_at_once_with_its_sizes(door: Door, server: Server, what: str) -> None:
    (posted,) = door.add(image(png(RED)))
    media = posted.data.image
    for size in media.hosted.sizes:
        assert door.size(media, size).status_code == 200
    folder = Path(server.settings.home) / "media"
    assert len([p for p in folder.rglob("*") if p.is_file()]) == 4
    if what == "input":
        door.call("DeleteInput", service_pb2.DeleteInputRequest(input_id="a"))
    else:
        door.call("DeleteApp", service_pb2.DeleteAppRequest())
    for size in media.hosted.sizes:
        assert code(door.size(media, size)) == (404, 11101)
    assert code(door.fetch(media.url)) == (404, 11101)
    assert [p for p in folder.rglob("*") if p.is_file()] == []


def test_an_id_that_is_given_again_does_not_open_the_old_address(door: Door) -> None:
    url = door.add(image(png(RED)))[0].data.image.url
    door.call("DeleteInput", service_pb2.DeleteInputRequest(input_id="a"))
    (again,) = door.add(image(noise(3)))
    assert code(door.fetch(url)) == (404, 11101)
    assert door.fetch(again.data.image.url).content == noise(3)


def test_a_size_that_is_made_while_its_input_goes_is_not_left_behind(
    door: Door, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    (posted,) = door.add(image(png(RED)))
    make = variants.make

    def slowly(*args: Any, **more: Any) -> bytes:
        made = make(*args, **more)
        door.call("DeleteInput", service_pb2.DeleteInputRequest(input_id="a"))
        return made

    monkeypatch.setattr(variants, "make", slowly)
    assert code(door.size(posted.data.image, "tiny")) == (404, 11101)
    assert [p for p in (Path(server.settings.home) / "media").rglob("*") if p.is_file()] == []


def test_media_that_are_gone_from_the_store_are_not_found(door: Door, server: Server) -> None:
    (posted,) = door.add(image(png(RED)))
    with server.store.read() as conn:
        app = apps.get(conn, door.user_id, "app")
        assert app is not None
    server.blobs.delete_prefix(str(app.pk))
    for size in posted.data.image.hosted.sizes:
        assert code(door.size(posted.data.image, size)) == (404, 11101)


# --- sizes ----------------------------------------------------------------------------------------


def test_the_sizes_of_an_image(door: Door) -> None:
    content = png(RED, 1200, 600)
    (posted,) = door.add(image(content))
    found = {size: door.size(posted.data.image, size) for size in posted.data.image.hosted.sizes}
    assert {size: size_of(r.content) for size, r in found.items()} == {
        "orig": (1200, 600),
        "large": (1024, 512),
        "small": (320, 160),
        "tiny": (96, 48),
    }
    assert [r.headers["content-type"] for r in found.values()] == ["image/png", *["image/jpeg"] * 3]
    assert len({r.headers["etag"] for r in found.values()}) == 4
    for size in ("thumbnail", "huge", "ORIG", ""):
        assert code(door.size(posted.data.image, size)) == (404, 11101)


def test_a_size_is_made_once_however_many_ask(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    (posted,) = door.add(image(png(RED)))
    made = []
    make = variants.make

    def count(*args: Any, **more: Any) -> bytes:
        made.append(args[1])
        time.sleep(0.2)
        return make(*args, **more)

    monkeypatch.setattr(variants, "make", count)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: door.size(posted.data.image, "tiny"), range(8)))
    got.append(door.size(posted.data.image, "tiny"))
    assert made == ["tiny"]
    assert {r.status_code for r in got} == {200}
    assert len({r.content for r in got}) == 1


def test_few_sizes_are_made_at_once(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    posted = door.add(*(image(noise(n), str(n)) for n in range(6)))
    at_it, most = [], []
    make = variants.make

    def watch(*args: Any, **more: Any) -> bytes:
        at_it.append(1)
        most.append(len(at_it))
        time.sleep(0.05)
        at_it.pop()
        return make(*args, **more)

    monkeypatch.setattr(variants, "make", watch)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        got = list(pool.map(lambda i: door.size(i.data.image, "small"), posted))
    assert {r.status_code for r in got} == {200}
    assert max(most) <= hosted_sizes.AT_ONCE


@pytest.mark.parametrize("content", [BROKEN, b"<svg onload='alert(1)'/>", png(RED, 1001, 1000)[:400]])
def test_a_broken_image_has_no_sizes_and_is_still_shown_as_it_is(
    door: Door, annotator: Annotator, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    door.add(image(content))
    annotator.step()
    media = door.seen("a").image
    assert door.size(media, "orig").content == content
    for _ in range(2):
        refused = door.size(media, "tiny")
        assert code(refused) == (404, 11101)
        assert "can't be made" in refused.json()["status"]["details"]
        # The second time nobody tries again.
        monkeypatch.setattr(variants, "make", None)


def test_an_image_over_the_limit_of_pixels_has_no_sizes(door: Door) -> None:
    (posted,) = door.add(image(png(RED, 1001, 1000)))
    refused = door.size(posted.data.image, "tiny")
    assert code(refused) == (404, 11101)
    assert "1000000 at most" in refused.json()["status"]["details"]
    assert door.size(posted.data.image, "orig").status_code == 200


# --- the answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "mime", "name"),
    [
        (Data(image=Image(base64=png(RED))), "image/png", 'inline; filename="a_b.png"'),
        (Data(image=Image(base64=b"<html><script>")), "application/octet-stream", 'attachment; filename="a_b"'),
        (Data(text=Text(raw="<html><script>")), "text/plain; charset=utf-8", 'inline; filename="a_b.txt"'),
        (Data(text=Text(raw="<svg/>")), "text/plain; charset=utf-8", 'inline; filename="a_b.txt"'),
        (Data(audio=Audio(base64=wav())), "audio/wav", 'inline; filename="a_b.wav"'),
        (Data(video=Video(base64=b"RIFF\4\0\0\0AVI LIST")), "video/x-msvideo", 'inline; filename="a_b.avi"'),
    ],
)
def test_no_browser_runs_what_a_stranger_sent(door: Door, given: Data, mime: str, name: str) -> None:
    (posted,) = door.add(Input(id='.."a é"b', data=given))
    kind = given.ListFields()[0][0].name
    got = door.fetch(getattr(posted.data, kind).url)
    assert got.status_code == 200
    assert got.headers["content-type"] == mime
    assert got.headers["content-disposition"] == name
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert got.headers["cache-control"] == "private, no-cache"
    assert got.headers["accept-ranges"] == "bytes"


def test_head_says_the_same_without_the_bytes(door: Door) -> None:
    (posted,) = door.add(image(png(RED)))
    for size in ("orig", "tiny"):
        got, asked = (door.size(posted.data.image, size, method=m) for m in ("GET", "HEAD"))
        assert (asked.status_code, asked.content) == (200, b"")
        drop = {"date"}
        assert {k: v for k, v in asked.headers.items() if k not in drop} == {
            k: v for k, v in got.headers.items() if k not in drop
        }
        assert int(asked.headers["content-length"]) == len(got.content)
    assert door.size(posted.data.image, "nothing", method="HEAD").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_not_served(door: Door, method: str) -> None:
    (posted,) = door.add(image(png(RED)))
    assert code(door.size(posted.data.image, "orig", method=method)) == (404, 11101)


def test_parts_of_a_video_and_conditions(door: Door) -> None:
    film = video([RED] * 40)
    (posted,) = door.add(Input(id="v", data=Data(video=Video(base64=film))))
    url = posted.data.video.url
    whole = door.fetch(url)
    assert whole.content == film
    part = door.fetch(url, range="bytes=100-199")
    assert (part.status_code, part.content) == (206, film[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(film)}"
    assert door.fetch(url, range="bytes=-5").content == film[-5:]
    assert door.fetch(url, range=f"bytes={len(film) - 3}-").content == film[-3:]
    beyond = door.fetch(url, range=f"bytes={len(film)}-")
    assert (beyond.status_code, beyond.content) == (416, b"")
    assert beyond.headers["content-range"] == f"bytes */{len(film)}"
    etag, date = whole.headers["etag"], whole.headers["last-modified"]
    for condition in ({"if_none_match": etag}, {"if_modified_since": date}):
        same = door.fetch(url, **condition)
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == etag
    assert door.fetch(url, if_none_match='"other"').status_code == 200
    assert door.fetch(url, range="bytes=0-1", if_range=etag).status_code == 206
    assert door.fetch(url, range="bytes=0-1", if_range='"other"').content == film
    text = door.add(Input(id="t", data=Data(text=Text(raw="grüße"))))[0].data.text
    assert door.fetch(text.url, range="bytes=2-5").content == "grüße".encode()[2:6]
    # Who has it already and may not see it any more is not told so.
    assert door.fetch(f"{url[:-1]}", if_none_match=etag).status_code == 401


def test_a_long_file_comes_in_pieces(door: Door, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    content = png(RED) + bytes(range(256)) * 4096 * 3
    (posted,) = door.add(image(content))
    monkeypatch.setattr(server.blobs, "get", None)
    assert door.fetch(posted.data.image.url).content == content
    assert door.fetch(posted.data.image.url, range="bytes=1000-2000000").content == content[1000:2000001]


def test_trouble_in_the_store_is_said_in_the_envelope(
    door: Door, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    (posted,) = door.add(image(png(RED)))

    def broken(*_: object) -> int:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(server.blobs, "size", broken)
    answer = door.fetch(posted.data.image.url)
    assert code(answer) == (500, 10020)
    assert "inside" not in answer.text


# --- text, audio and video ------------------------------------------------------------------------


def test_every_kind_by_bytes_and_by_url(door: Door, site: Site, annotator: Annotator) -> None:
    film, sound, words = video([RED] * 3), wav(), "Grüße, <b>fett</b>"
    door.add(
        Input(id="video", data=Data(video=Video(base64=film))),
        Input(id="audio", data=Data(audio=Audio(base64=sound))),
        Input(id="text", data=Data(text=Text(raw=words))),
        Input(id="video-url", data=Data(video=Video(url=site.url("/v", film)))),
        Input(id="audio-url", data=Data(audio=Audio(url=site.url("/a", sound)))),
        Input(id="text-url", data=Data(text=Text(url=site.url("/t", words.encode())))),
    )
    while annotator.step():
        pass
    listed = door.call("ListInputs", service_pb2.ListInputsRequest()).inputs
    assert {i.id: (i.status.code, i.status.details) for i in listed} == dict.fromkeys(
        ("video", "audio", "text", "video-url", "audio-url", "text-url"), (30000, "")
    )
    expected = {"video": film, "audio": sound, "text": words.encode()}
    for i in listed:
        kind = i.id.removesuffix("-url")
        media: Any = getattr(i.data, kind)
        assert door.size(media, "orig").content == expected[kind], i.id
        assert list(media.hosted.sizes) == (["orig", "thumbnail"] if kind == "video" else ["orig"]), i.id
        if kind != "text":
            assert media.base64 == b"", i.id
        if i.id == kind:
            assert door.fetch(media.url).content == expected[kind], i.id
        else:
            assert media.url == site.url(f"/{kind[0]}")
    assert door.seen("text").text.raw == words
    assert door.seen("text-url").text.raw == ""


def test_a_video_has_a_thumbnail(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    (posted,) = door.add(Input(id="v", data=Data(video=Video(base64=video([RED] * 15)))))
    got = door.size(posted.data.video, "thumbnail")
    assert (got.status_code, got.headers["content-type"]) == (200, "image/jpeg")
    assert size_of(got.content) == (64, 48)
    # It is kept, and not made again.
    monkeypatch.setattr(frames, "thumbnail", None)
    assert door.size(posted.data.video, "thumbnail").content == got.content
    assert code(door.size(posted.data.video, "tiny")) == (404, 11101)


def test_a_video_without_a_frame_has_none(door: Door) -> None:
    content = b"RIFF\4\0\0\0AVI LIST"
    (posted,) = door.add(Input(id="v", data=Data(video=Video(base64=content))))
    assert code(door.size(posted.data.video, "thumbnail")) == (404, 11101)
    assert door.size(posted.data.video, "orig").content == content


def test_what_is_no_video_fails_with_what_was_found(door: Door, annotator: Annotator) -> None:
    door.add(Input(id="v", data=Data(video=Video(base64=b"\x1a\x45\xdf\xa3 webm"))), image(png(RED)))
    annotator.step()
    reply = {i.id: i for i in door.call("ListInputs", service_pb2.ListInputsRequest()).inputs}
    assert reply["a"].status.code == 30000
    assert reply["v"].status.code == 30101
    assert "Matroska or WebM" in reply["v"].status.details
    assert door.fetch(reply["v"].data.video.url).headers["content-type"] == "application/octet-stream"


def test_the_default_workflow_passes_by_what_it_can_not_look_at(door: Door, server: Server) -> None:
    app = resources_pb2.App(id="app", default_workflow_id="Universal")
    door.call("PatchApps", service_pb2.PatchAppsRequest(action="overwrite", apps=[app]))
    door.add(
        Input(id="v", data=Data(video=Video(base64=video([RED] * 3)))),
        Input(id="s", data=Data(audio=Audio(base64=wav()))),
        Input(id="t", data=Data(text=Text(raw="words"))),
    )
    annotator = Annotator(server.settings, server.store, BlobStore(server.settings.media_store_url))
    while annotator.step():
        pass
    for i in door.call("ListInputs", service_pb2.ListInputsRequest()).inputs:
        assert (i.status.code, i.status.details) == (30000, ""), i.id
    every = service_pb2.ListAnnotationsRequest(list_all_annotations=True)
    assert list(door.call("ListAnnotations", every).annotations) == []

"""The pages' door: signing in and out, what a cookie may do, and what a browser is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from starlette.datastructures import QueryParams

from labelwright import config
from labelwright.ids import new_id
from labelwright.protocol import hosted, rest
from labelwright.protocol.dispatch import SMALL, Server
from labelwright.protocol.http import build_app
from labelwright.protocol.loop import EdgeLoop
from labelwright.protocol.methods import methods
from labelwright.protocol.sessions import SECONDS, Sessions
from labelwright.review import api, assets, endpoint, pages
from labelwright.review.endpoint import MAX_BODY
from labelwright.review.routes import routes, with_sessions
from labelwright.review.session import COOKIE, CSRF_HEADER, TRIES
from labelwright.store import apps, users
from labelwright.store.engine import now
from tests.conftest import Client


@dataclass
class Site:
    """The pages of a server, and a browser that has not signed in."""

    http: httpx.Client
    client: Client

    @property
    def app_path(self) -> str:
        return f"/apps/{self.client.user_id}/app"

    @property
    def v2(self) -> str:
        return f"/v2/users/{self.client.user_id}/apps"

    def ui(self, path: str) -> str:
        return f"/ui/api/{self.client.user_id}/app/{path}"

    def sign_in(self, token: str = "", after: str = "", **headers: str) -> httpx.Response:
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        form = {"token": token or self.client.token, "next": after}
        return self.http.post("/login", data=form, headers=named)

    def csrf(self) -> str:
        found: str = self.http.get("/ui/session").json()["csrf"]
        return found


@pytest.fixture
def site(client: Client) -> Iterator[Site]:
    yield from _site(client)


def _site(client: Client) -> Iterator[Site]:
    server = client.server
    inner = build_app(lambda: True, [*hosted.routes(server), *rest.routes(server), *routes(server)])
    edge = EdgeLoop(with_sessions(inner, server))
    edge.start(None, ("127.0.0.1", 0), None)
    with httpx.Client(base_url=f"http://127.0.0.1:{edge.http_port}", timeout=60) as http:
        yield Site(http, client)
    edge.stop(1)


# --- signing in and out ----------------------------------------------------------------------------


def test_signing_in_gives_a_cookie_that_no_script_reads_and_no_other_site_sends(site: Site) -> None:
    reply = site.sign_in(after=f"{site.app_path}/review?order=random")
    assert (reply.status_code, reply.headers["location"]) == (303, f"{site.app_path}/review?order=random")
    value, *flags = reply.headers["set-cookie"].split("; ")
    assert {f.lower() for f in flags} == {"httponly", "samesite=strict", "path=/", f"max-age={SECONDS}"}
    assert site.client.token not in value
    assert site.http.get("/apps").status_code == 200
    assert site.http.get("/login").headers["location"] == "/apps"


@pytest.mark.parametrize("token", ["  {}\n", "Key {}"])
def test_a_token_is_taken_as_people_paste_it(site: Site, token: str) -> None:
    assert site.sign_in(token.format(site.client.token)).status_code == 303


def test_signing_out_takes_a_form_of_ours(site: Site) -> None:
    site.sign_in()
    csrf = site.csrf()
    assert site.http.post("/logout").status_code == 403
    assert site.http.post("/logout", data={"csrf": csrf}, headers={"origin": "http://evil.example"}).status_code == 403
    assert site.http.get("/apps").status_code == 200
    reply = site.http.post("/logout", data={"csrf": csrf})
    assert (reply.status_code, reply.headers["location"]) == (303, "/login")
    assert site.http.cookies.get(COOKIE) is None
    assert site.http.get("/apps").headers["location"] == "/login?next=%2Fapps"


def _expired_token(server: Server, user_id: str) -> str:
    token = new_id()
    with server.store.write() as conn:
        users.add_key(conn, user_id=user_id, token=token, expires_at=now() - 1)
    return token


def test_every_token_that_is_not_good_is_refused_in_the_same_words(site: Site) -> None:
    tokens = [new_id(), "not a token", _expired_token(site.client.server, site.client.user_id), "ö\x00"]
    replies = [site.sign_in(token) for token in tokens]
    assert {r.status_code for r in replies} == {401}
    assert len({r.text for r in replies}) == 1
    assert all("set-cookie" not in r.headers for r in replies)


def test_who_tries_too_often_waits_and_who_succeeds_is_not_counted(site: Site) -> None:
    for _ in range(TRIES + 2):
        assert site.sign_in().status_code == 303
    site.http.cookies.clear()
    assert [site.sign_in(new_id()).status_code for _ in range(TRIES)] == [401] * TRIES
    refused = site.sign_in()
    assert refused.status_code == 429
    assert "set-cookie" not in refused.headers


def test_a_form_of_another_site_signs_nobody_in(site: Site) -> None:
    assert site.sign_in(origin="http://evil.example").status_code == 403
    assert site.sign_in(sec_fetch_site="cross-site").status_code == 403
    assert site.sign_in(sec_fetch_site="same-site").status_code == 403
    # No origin at all, and no reason to fail.
    assert site.sign_in(origin="http://[").status_code == 403
    assert site.sign_in(origin=str(site.http.base_url)).status_code == 303


def test_a_session_that_the_browser_brings_along_is_not_the_one_it_gets(site: Site) -> None:
    site.sign_in()
    planted = site.http.cookies[COOKIE]
    site.sign_in()
    assert site.http.cookies[COOKIE] != planted
    site.http.cookies.clear()
    site.http.cookies.set(COOKIE, "chosen-by-somebody-else")
    given = site.sign_in().headers["set-cookie"]
    assert "chosen-by-somebody-else" not in given


def test_what_leads_elsewhere_is_no_place_to_go_after_signing_in(site: Site) -> None:
    hostile = [
        *("https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)"),
        *("/\t/evil.example", "/apps\r\nset-cookie: a=b", " //evil.example", "/apps\\..\\x", "/" + "a" * 3000),
        *("", "apps", "/login?next=/login", "/logout", "/é"),
    ]
    for after in hostile:
        assert site.sign_in(after=after).headers["location"] == "/apps", after
        shown = httpx.get(f"{site.http.base_url}/login?next={quote(after)}").text
        assert '<input type="hidden" name="next" value="/apps">' in shown, after


@pytest.mark.parametrize(
    ("made", "secure"),
    [({}, False), ({"public_url": "https://labels.example"}, True), ({"public_url": "http://labels.example"}, False)],
)
def test_the_cookie_is_sent_over_tls_alone_where_that_is_how_clients_come(
    client: Client, tmp_path: Path, made: dict[str, Any], secure: bool
) -> None:
    old = client.server
    settings = config.load(home=tmp_path / "other", **made)
    other = Server(settings=settings, store=old.store, blobs=old.blobs, predictor=old.predictor, wake=old.wake)
    client.server = other
    for site in _site(client):
        flags = site.sign_in().headers["set-cookie"].lower().split("; ")
        assert ("secure" in flags) == secure


# --- what a session is worth -----------------------------------------------------------------------


def test_a_session_ends_by_itself_and_no_value_is_made_up() -> None:
    time = [1_000_000.0]
    ours = Sessions(lambda: b"one secret", lambda: time[0])
    theirs = Sessions(lambda: b"another", lambda: time[0])
    session = ours.open("key-1")
    assert ours.read(session.value) == session
    assert ours.open("key-1") != session
    key, end, nonce, signature = session.value.split(".")
    forged = [
        theirs.open("key-1").value,
        f"key-2.{end}.{nonce}.{signature}",
        f"{key}.{int(end) + 1}.{nonce}.{signature}",
        f"{key}.{end}.{'0' * 32}.{signature}",
        f"{key}.{end}.{nonce}.{session.csrf}",
        *("", "....", session.value + "\n", session.value[:-1]),
    ]
    for value in forged:
        with pytest.raises(Exception, match="sign in again"):
            ours.read(value)
    time[0] += SECONDS - 1
    assert ours.read(session.value) == session
    time[0] += 1
    with pytest.raises(Exception, match="has ended"):
        ours.read(session.value)


def test_a_session_ends_with_its_key(site: Site) -> None:
    server, token = site.client.server, new_id()
    with server.store.write() as conn:
        key = users.add_key(conn, user_id=site.client.user_id, token=token)
    site.sign_in(token)
    assert site.http.get(site.v2).status_code == 200
    with server.store.write() as conn:
        users.change_key(conn, key, expires_at=now() - 1)
    server.auth.forget()
    assert site.http.get(site.v2).json()["status"]["code"] == 11008
    with server.store.write() as conn:
        users.delete_key(conn, key)
    server.auth.forget()
    assert site.http.get(site.v2).json()["status"]["code"] == 11009
    reply = site.http.get(site.app_path)
    assert reply.headers["location"].startswith("/login?next=")
    assert "max-age=0" in reply.headers["set-cookie"].lower()


def test_who_sends_no_cookie_is_answered_as_ever(site: Site) -> None:
    reply = site.http.get(site.v2)
    assert (reply.status_code, reply.json()["status"]["code"]) == (401, 11102)
    known = {"authorization": f"Key {site.client.token}"}
    assert site.http.get(site.v2, headers=known).status_code == 200
    reply = site.http.get(site.v2, headers={"cookie": "other=1; labelwright=2"})
    assert (reply.status_code, reply.json()["status"]["code"]) == (401, 11102)


def test_a_header_outranks_the_cookie(site: Site) -> None:
    site.sign_in()
    assert site.http.get(site.v2).status_code == 200
    for header in ({"authorization": f"Key {new_id()}"}, {"x-clarifai-session-token": new_id()}):
        reply = site.http.get(site.v2, headers=header)
        assert (reply.status_code, reply.json()["status"]["code"]) == (401, 11009)


def test_the_cookie_alone_changes_nothing(site: Site) -> None:
    site.sign_in()
    csrf, body = site.csrf(), {"concepts": [{"id": "cat"}]}
    path = f"{site.v2}/app/concepts"
    wrong = [
        {},
        {"origin": "http://evil.example"},
        {CSRF_HEADER: ""},
        {CSRF_HEADER: "0" * 64},
        {CSRF_HEADER: csrf, "sec-fetch-site": "cross-site"},
        {CSRF_HEADER: csrf, "sec-fetch-site": "same-site"},
    ]
    for headers in wrong:
        reply = site.http.post(path, json=body, headers=headers)
        assert (reply.status_code, reply.json()["status"]["code"]) == (401, 11102)
    assert site.http.get(path).json()["concepts"] == []
    assert site.http.post(path, json=body, headers={CSRF_HEADER: csrf}).status_code == 200
    assert [c["id"] for c in site.http.get(path).json()["concepts"]] == ["cat"]


def test_a_page_of_another_port_reads_nothing(site: Site) -> None:
    site.sign_in()
    reply = site.http.get(site.v2, headers={"origin": "http://127.0.0.1:3000"})
    assert not [name for name in reply.headers if name.startswith("access-control")]
    for read in ({"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"}, {"sec-fetch-site": "cross-site"}):
        assert site.http.get(site.v2, headers=read).status_code == 401
    arrived = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert site.http.get("/apps", headers=arrived).status_code == 200


def test_media_are_shown_to_who_is_signed_in(site: Site) -> None:
    text = resources_pb2.Text(raw="hello")
    made = resources_pb2.Input(id="one", data=resources_pb2.Data(text=text))
    site.client.call("PostInputs", service_pb2.PostInputsRequest(inputs=[made]))
    site.sign_in()
    found = site.http.get(f"{site.v2}/app/inputs/one").json()["input"]["data"]["text"]["hosted"]
    path = f"/hosted/orig/{found['suffix']}"
    assert site.http.get(path).text == "hello"
    site.http.cookies.clear()
    assert site.http.get(path).status_code == 404


# --- pages -----------------------------------------------------------------------------------------


def _paths(site: Site) -> list[str]:
    names = {"user": site.client.user_id, "app": "app", "input": "one", "model": "some-model"}
    # A name may say what it takes: {input:path}.
    filled = [re.sub(r"\{(\w+)(:\w+)?\}", lambda m: names[m[1]], p.path) for p in pages.PAGES]
    return ["/login", "/apps", "/apps/nobody/nothing", *filled]


def test_nothing_runs_in_a_page_but_our_own_files(site: Site) -> None:
    site.sign_in()
    for path in _paths(site):
        reply = httpx.get(f"{site.http.base_url}{path}") if path == "/login" else site.http.get(path)
        policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["img-src"] == policy["media-src"] == "'self' data: blob:"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["cross-origin-opener-policy"] == "same-origin"
        assert reply.headers["cache-control"] == "no-store"
        assert not re.search(r"<script(?![^>]* src=)|\sstyle=|\son[a-z]+=", reply.text), path


def test_pages_ask_who_is_there_and_lead_back_to_where_they_were_asked_for(site: Site) -> None:
    assert site.http.get("/").headers["location"] == "/apps"
    reply = site.http.get(f"{site.app_path}/review?concept=a%26b&min=0.5")
    asked = quote(f"{site.app_path}/review?concept=a%26b&min=0.5", safe="")
    assert (reply.status_code, reply.headers["location"]) == (303, f"/login?next={asked}")
    assert site.http.get("/apps/x/y/z/there/is/none").status_code == 303
    # An address that would not fit into the next request's head is not come back to.
    assert site.http.get("/apps?a=" + "b" * 60_000).headers["location"] == "/login?next=%2Fapps"
    site.sign_in()
    assert site.http.get("/apps/x/y/z/there/is/none").status_code == 404


def test_an_input_that_is_called_like_a_file_has_a_page(site: Site) -> None:
    site.sign_in()
    page = site.http.get(f"{site.app_path}/inputs/photos%2Fnear%2Fcat.jpg")
    assert page.status_code == 200
    assert 'data-input="photos/near/cat.jpg"' in page.text
    assert site.http.get(f"{site.app_path}/inputs/").status_code == 404


def test_a_number_that_json_lacks_is_null() -> None:
    reply = endpoint.as_json({"n": [float("nan"), {"m": float("-inf")}, 1.5, True, "NaN"]})
    assert bytes(reply.body) == b'{"n":[null,{"m":null},1.5,true,"NaN"]}'


def test_an_app_of_somebody_else_is_as_good_as_absent(site: Site) -> None:
    server, token = site.client.server, new_id()
    with server.store.write() as conn:
        users.ensure_user(conn, "stranger")
        users.add_key(conn, user_id="stranger", token=token)
    site.sign_in(token)
    absent = site.http.get("/apps/nobody/nothing")
    reply = site.http.get(f"{site.app_path}/add")
    assert reply.status_code == absent.status_code == 404
    assert reply.text.replace("/add", "") == absent.text
    assert site.http.get(site.ui("review/summary")).status_code == 404


def test_a_key_without_the_scope_is_told_so(site: Site) -> None:
    server, token = site.client.server, new_id()
    with server.store.write() as conn:
        users.add_key(conn, user_id=site.client.user_id, token=token, scopes=["Inputs_Get"])
    site.sign_in(token)
    assert site.http.get("/apps").status_code == 200
    reply = site.http.get(f"{site.app_path}/add")
    assert reply.status_code == 403
    assert "Not yours to see" in reply.text


def test_the_key_of_one_app_leads_there(site: Site) -> None:
    server, token = site.client.server, new_id()
    with server.store.write() as conn:
        row = apps.get(conn, site.client.user_id, "app")
        assert row is not None
        users.add_key(conn, user_id=site.client.user_id, token=token, app=row.pk)
    site.sign_in(token)
    assert site.http.get("/apps").headers["location"] == site.app_path
    assert site.http.get(f"{site.app_path}/add").status_code == 200


HOSTILE = "\"'><script>alert(1)</script>{{7*7}}<img src=x onerror=alert(1)>"


def test_a_hostile_name_is_a_name(site: Site) -> None:
    empty = {"id": "Empty", "app_id": "main", "user_id": "clarifai"}
    site.sign_in()
    body = {"apps": [{"id": "hostile", "name": HOSTILE, "default_workflow": empty}]}
    reply = site.http.post(site.v2, json=body, headers={CSRF_HEADER: site.csrf()})
    assert reply.status_code == 200, reply.text
    shown = site.http.get(f"/apps/{site.client.user_id}/hostile/add").text
    assert "&lt;script&gt;" in shown
    assert "<script>alert" not in shown
    assert "<img src=x" not in shown
    assert "{{7*7}}" in shown


# --- files and endpoints ---------------------------------------------------------------------------


def test_files_are_kept_for_ever_under_the_address_that_pages_use(site: Site) -> None:
    reply = site.http.get(assets.address("api.js"))
    assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
    for other in ("/ui/static/api.js", "/ui/static/api.js?v=older"):
        assert site.http.get(other).headers["cache-control"] == "no-cache"
    for absent in ("none.js", "..%2fpages.py", "%2e%2e/pages.py", "shell.json", ""):
        assert site.http.get(f"/ui/static/{absent}").status_code == 404
    toast = site.http.get("/ui/static/toast.js").text
    assert f'"{assets.address("dom.js")}"' in toast
    strings = site.http.get("/ui/static/strings.js").text
    assert strings.startswith("export default {")
    assert '"sign_in":"Sign in"' in strings


def test_what_goes_wrong_in_an_endpoint_is_said_as_the_api_says_it(site: Site) -> None:
    reply = site.http.get(site.ui("review/summary"))
    assert (reply.status_code, reply.json()["status"]["code"]) == (401, 11102)
    site.sign_in()
    csrf = {CSRF_HEADER: site.csrf()}
    assert site.http.post(site.ui("review/take"), json={}).status_code == 401
    deep = "[" * 100_000
    for body in (
        "[]",
        "no json",
        '"text"',
        '{"n": NaN}',
        '{"tab": "\\ud800"}',
        b'{"tab": "\xed\xa0\x80"}',
        '{"tab": "\\ud800"}'.encode("utf-16"),
        '{"tab": "a"}'.encode("utf-32"),
        f'{{"a": {deep}',
        "\xff".encode("latin-1"),
    ):
        reply = site.http.post(site.ui("review/take"), content=body, headers=csrf)
        assert (reply.status_code, reply.json()["status"]["description"]) == (400, "Malformed request"), body[:40]
        assert reply.json()["status"]["req_id"]
    reply = site.http.post(site.ui("review/take"), content=b"x" * (MAX_BODY + 1), headers=csrf)
    assert reply.status_code == 413
    reply = site.http.get(f"/ui/api/{site.client.user_id}/nothing/review/summary")
    assert reply.status_code == 404
    assert reply.headers["cache-control"] == "no-store"
    assert site.http.get(site.ui("there/is/none")).status_code == 404


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("review/take", {"n": 10**400}),
        ("review/take", {"n": -(10**400)}),
        ("review/take", {"min": 10**400}),
        ("review/take", {"tab": ["a"]}),
        ("review/verdicts", {"action": "a", "verdicts": [{"item": ["a.0"]}]}),
        ("review/undo", {"action": {}}),
        ("runs/undo", {"run": ["a", "b"]}),
    ],
)
def test_what_is_no_legal_value_is_a_bad_request(site: Site, path: str, wrong: dict[str, Any]) -> None:
    site.sign_in()
    body = {**({} if path == "runs/undo" else {"tab": "a"}), **wrong}
    reply = site.http.post(site.ui(path), json=body, headers={CSRF_HEADER: site.csrf()})
    assert (reply.status_code, reply.json()["status"]["description"]) == (400, "Invalid request"), reply.text


def test_what_a_stranger_sends_is_not_parsed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("it was parsed")

    site.sign_in()
    for name in ("of_body", "of_query"):
        monkeypatch.setattr(endpoint, name, never)
    long = b'{"csrf": "' + site.csrf().encode() + b'", "tab": "' + b"a" * SMALL + b'"}'
    assert site.http.post(site.ui("review/release"), content=long).status_code == 401
    site.http.cookies.clear()
    assert site.http.post(site.ui("review/release"), content=long).status_code == 401
    assert site.http.get(site.ui("overview?a=b")).status_code == 401


def test_a_query_of_many_names_is_read_once() -> None:
    assert endpoint.of_query(QueryParams("a=1&b=2&a=3&c=")) == {"a": ["1", "3"], "b": "2", "c": ""}


def test_no_browser_keeps_what_a_session_was_told(site: Site) -> None:
    me = "/v2/users/me"
    by_key = site.http.get(me, headers={"authorization": f"Key {site.client.token}"})
    assert "cache-control" not in by_key.headers
    site.sign_in()
    reply = site.http.get(me)
    assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-store")
    assert reply.headers["x-content-type-options"] == "nosniff"
    # What says how it may be kept is left alone.
    assert site.http.get(assets.address("app.css")).headers["cache-control"].endswith("immutable")


def test_a_page_that_fails_is_a_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.sign_in()

    def fails(*_: Any) -> Any:
        raise RuntimeError("the store is gone")

    monkeypatch.setattr(type(site.client.server.auth), "holder", fails)
    for path in ("/apps", "/login", site.app_path, "/apps/nowhere"):
        reply = site.http.get(path)
        assert (reply.status_code, reply.headers["content-type"]) == (500, "text/html; charset=utf-8"), path
        assert "content-security-policy" in reply.headers
        assert "the store is gone" not in reply.text


def test_a_page_that_is_being_left_says_its_csrf_token_in_the_body(site: Site) -> None:
    site.sign_in()
    for csrf, status in (("", 401), ("0" * 64, 401), (7, 401), (site.csrf(), 200)):
        reply = site.http.post(site.ui("review/release"), json={"tab": "a-tab", "csrf": csrf})
        assert reply.status_code == status, reply.text


def test_every_endpoint_is_called_by_the_name_of_an_rpc(site: Site) -> None:
    assert {rpc for *_, rpc in api.TABLE} <= set(methods())
    site.sign_in()
    for verb, path, *_ in api.TABLE:
        reply = site.http.request(verb, site.ui(path), headers={CSRF_HEADER: site.csrf()})
        assert "nothing is served" not in reply.text, path
        other = "GET" if verb == "POST" else "POST"
        assert site.http.request(other, site.ui(path), headers={CSRF_HEADER: site.csrf()}).status_code == 404


@pytest.mark.parametrize(
    ("verb", "path", "scopes", "missing"),
    [
        ("POST", "review/take", ["Annotations_Get", "Annotations_Patch"], "GetInput"),
        ("POST", "review/undo", ["Annotations_Get", "Annotations_Patch"], "GetInput"),
        ("GET", "overview", ["Apps_Get", "Workflows_Get"], "GetInputCount"),
    ],
)
def test_what_a_path_shows_besides_must_be_allowed_too(
    site: Site, verb: str, path: str, scopes: list[str], missing: str
) -> None:
    token = new_id()
    endpoints = ["/clarifai.api.V2/PatchAnnotations"] if verb == "POST" else []
    with site.client.server.store.write() as conn:
        users.add_key(conn, user_id=site.client.user_id, token=token, scopes=scopes, endpoints=endpoints)
    body = {"tab": "a-tab", "mode": "single", "n": 1} if verb == "POST" else None
    reply = site.http.request(verb, site.ui(path), json=body, headers={"authorization": f"Key {token}"})
    assert reply.status_code == 403, reply.text
    assert missing in reply.json()["status"]["details"]

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelwright.errors import InputInvalidUrl
from labelwright.media.urls import follow, parse_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTP://Example.COM:80/a", "http://example.com/a"),
        ("https://example.com:443/a?b=c#d", "https://example.com/a?b=c"),
        ("https://example.com:8443/a", "https://example.com:8443/a"),
        ("http://example.com:/a", "http://example.com/a"),
        ("  http://example.com/a b.jpg  ", "http://example.com/a%20b.jpg"),
        ("http://example.com/caf\u00e9.jpg?q=\u00fc", "http://example.com/caf%C3%A9.jpg?q=%C3%BC"),
        ("http://example.com/a%20b?x=%2F", "http://example.com/a%20b?x=%2F"),
        ("http://b\u00fccher.example/", "http://xn--bcher-kva.example/"),
        ("http://my_host.local:9000/x", "http://my_host.local:9000/x"),
        ("http://example.com./a", "http://example.com/a"),
        ("http://[0:0::1]:8080/a", "http://[::1]:8080/a"),
        ("http://\uff11\uff12\uff17.0.0.1/", "http://127.0.0.1/"),
        ("http://127\u30020\u30020\u30021/", "http://127.0.0.1/"),
    ],
)
def test_a_legal_url_is_brought_to_one_form(url: str, expected: str) -> None:
    assert parse_url(url).url == expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "no scheme"),
        ("example.com/x.jpg", "no scheme"),
        ("//example.com/x.jpg", "no scheme"),
        ("ftp://example.com/x", "ftp: is not legal"),
        ("file:///etc/passwd", "file: is not legal"),
        ("gopher://example.com/", "gopher: is not legal"),
        ("javascript:alert(1)", "javascript: is not legal"),
        ("data:image/png;base64,AAAA", "base64"),
        ("http://", "no host"),
        ("http:///path", "no host"),
        ("http://:80/", "not legal"),
        ("http://user@example.com/", "user name"),
        ("http://user:secret@example.com/", "user name"),
        ("http://example.com\\@evil.example/", "user name"),
        ("http://example.com:0/", "port 0"),
        ("http://example.com:65536/", "port 65536"),
        ("http://example.com:99999999/", "not legal"),
        ("http://example.com:8a/", "not legal"),
        ("http://example.com:-1/", "not legal"),
        ("http://[::1]evil.example/", "can't be read|not legal"),
        ("http://[::1/", "can't be read"),
        ("http://[fe80::1%25eth0]/", "can't be read|not legal"),
        ("http://[1.2.3.4]/", "can't be read|not legal"),
        ("http://%31%32%37.0.0.1/", "not legal"),
        ("http://exa mple.com/", "not legal"),
        ("http://a..b/", "host name"),
        ("http://./", "host name"),
        ("http://exam<ple.com/", "host name"),
        ("http://" + "a" * 64 + ".com/", "host name"),
        ("http://" + "a." * 200 + "com/", "host name"),
        ("http://example.com/a\r\nHost: evil", "control character"),
        ("http://example.com/a\tb", "control character"),
        ("http://exa\nmple.com/", "control character"),
        ("http://example.com/\x00", "control character"),
        ("http://example.com/" + "a" * 9000, "8192 at most"),
        ("http://example.com/\ud800", "Unicode"),
        ("http://example.com\u2100/", "can't be read"),
    ],
)
def test_an_illegal_url_is_refused_with_its_reason(url: str, reason: str) -> None:
    with pytest.raises(InputInvalidUrl, match=reason):
        parse_url(url)


def test_a_refusal_keeps_the_password_and_the_path_to_itself() -> None:
    with pytest.raises(InputInvalidUrl) as caught:
        parse_url("http://user:secret@example.com/token")
    assert "secret" not in str(caught.value)
    assert "token" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/b", "http://example.com:81/b"),
        ("b?c=d", "http://example.com:81/x/b?c=d"),
        ("//other.example/y", "http://other.example/y"),
        ("https://other.example", "https://other.example/"),
        ("/caf\u00c3\u00a9", "http://example.com:81/caf%C3%A9"),
    ],
)
def test_a_redirect_is_read_against_the_url_before_it(location: str, expected: str) -> None:
    assert follow(parse_url("http://example.com:81/x/a"), location).url == expected


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://h/", "gopher://h/", "http://[", "http://u@h/"])
def test_a_redirect_to_an_illegal_url_is_refused(location: str) -> None:
    with pytest.raises(InputInvalidUrl, match=r"example\.com redirects to"):
        follow(parse_url("http://example.com/"), location)


@settings(deadline=None)
@given(st.text(max_size=60), st.sampled_from(["", "http://", "https://", "http://h/", "http://["]))
def test_any_text_is_one_clean_request_line_or_refused(text: str, prefix: str) -> None:
    try:
        target = parse_url(prefix + text)
    except InputInvalidUrl:
        return
    line = target.path + target.authority
    assert line.isascii()
    assert line.isprintable()
    assert " " not in line
    assert parse_url(target.url) == target

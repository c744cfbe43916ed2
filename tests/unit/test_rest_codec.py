"""Messages as the API's JSON, and back: held against protobuf's own JSON."""

from __future__ import annotations

import base64
import json
import math
import struct
from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import assume, example, given
from hypothesis import strategies as st

from labelwright.errors import BadRequestFormat
from labelwright.protocol.rest.printing import print_message, show_message, show_single
from labelwright.protocol.rest.reading import plain, read_message
from labelwright.protocol.rest.scalars import octets
from tests.unit.some_messages import FLOATS, KINDS, PLAIN, messages


def strict(printed: bytes) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(printed, parse_constant=refuse)


def attempt(kind: type[Any], body: bytes) -> tuple[Any, str]:
    """The message, or None and why there is none."""
    try:
        return read_message(kind, body), ""
    except BadRequestFormat as e:
        return None, e.details


# --- there and back -------------------------------------------------------------------------------


@given(messages())
def test_what_is_printed_is_read_as_it_was(message: Message) -> None:
    printed = print_message(message)
    strict(printed)
    assert read_message(type(message), printed) == message


@given(messages())
@example(resources_pb2.Concept(value=-0.0))
def test_what_is_printed_is_read_alike_by_protobuf(message: Message) -> None:
    assert json_format.Parse(print_message(message), type(message)()) == message


@given(messages(), st.booleans(), st.booleans())
def test_what_protobuf_prints_is_read_as_it_was(message: Message, names: bool, numbers: bool) -> None:
    try:
        printed = json_format.MessageToJson(
            message,
            preserving_proto_field_name=names,
            use_integers_for_enums=numbers,
            # A concept without a value would mean one of 1.
            always_print_fields_with_no_presence=True,
        )
    except ValueError:
        # An infinite number in a Struct, which it does not print.
        assume(False)
        raise
    assert read_message(type(message), printed.encode()) == message


@given(messages())
def test_the_same_fields_are_printed_as_by_protobuf(message: Message) -> None:
    ours = show_message(message)
    theirs = json_format.MessageToDict(message, preserving_proto_field_name=True, use_integers_for_enums=True)
    assert _less(theirs, ours)


def _less(theirs: Any, ours: Any) -> bool:
    """Whether all that one has the other has too; integers of 64 bits are texts in one, floats may be whole."""
    if isinstance(theirs, dict):
        return isinstance(ours, dict) and all(k in ours and _less(v, ours[k]) for k, v in theirs.items())
    if isinstance(theirs, list):
        return len(theirs) == len(ours) and all(_less(a, b) for a, b in zip(theirs, ours, strict=True))
    if isinstance(ours, int) and isinstance(theirs, str):
        return theirs == str(ours)
    if isinstance(ours, float | int) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-6)
    return bool(ours == theirs) or (isinstance(theirs, str) and theirs[-1:] in "sZ" and ours[-1:] == theirs[-1:])


@given(st.sampled_from(KINDS), PLAIN, st.data())
def test_whatever_comes_is_read_or_refused_in_words(
    kind: tuple[str, type[Message]], value: Any, data: st.DataObject
) -> None:
    names = [f.name for f in kind[1].DESCRIPTOR.fields]
    body = {data.draw(st.sampled_from([*names, "x"])): value} if data.draw(st.booleans()) else value
    read, refused = attempt(kind[1], json.dumps(body).encode())
    if read is None:
        assert refused
    else:
        strict(print_message(read))


@given(st.binary(max_size=40))
@example(b"\xef\xbb\xbf{}")
@example(b"[" * 100_000)
@example(b'{"inputs":' * 5000)
@example(b"9" * 5000)
def test_bytes_are_read_or_refused_in_words(body: bytes) -> None:
    read, refused = attempt(service_pb2.PostInputsRequest, body)
    assert read is not None or "body" in refused


@given(FLOATS)
@example(3.4028234663852886e38)
@example(0.95)
def test_a_float_is_printed_short_and_read_the_same(number: float) -> None:
    number = struct.unpack("f", struct.pack("f", number))[0]
    shown = show_single(number)
    if math.isinf(number):
        assert shown == ("Infinity" if number > 0 else "-Infinity")
        return
    assert struct.unpack("f", struct.pack("f", float(shown)))[0] == number
    assert len(f"{shown!r}".strip("-0.").replace(".", "").partition("e")[0]) <= 9 or float(shown).is_integer()


# --- printing -------------------------------------------------------------------------------------


def test_names_enums_times_and_bytes() -> None:
    message = resources_pb2.App(id="a")
    message.created_at.FromJsonString("2024-05-31T12:00:00.5Z")
    message.visibility.gettable = resources_pb2.Visibility.Gettable.PUBLIC
    message.metadata.update({"whole": 3, "part": 0.5, "none": None, "empty": {}, "list": []})
    shown = show_message(message)
    assert shown["created_at"] == "2024-05-31T12:00:00.500Z"
    assert shown["visibility"]["gettable"] == 50
    assert shown["metadata"] == {"whole": 3, "part": 0.5, "none": None, "empty": {}, "list": []}
    assert isinstance(shown["metadata"]["whole"], int)
    image = resources_pb2.Image(base64=b"\xfb\xff\x00")
    assert show_message(image)["base64"] == "+/8A"


def test_what_is_flagged_is_shown_though_empty() -> None:
    assert show_message(service_pb2.MultiInputResponse()) == {"inputs": []}
    concept = show_message(resources_pb2.Concept(id="cat"))
    assert concept == {"id": "cat", "value": 0}
    assert b'"value":0}' in print_message(resources_pb2.Concept(id="cat"))
    box = resources_pb2.RegionInfo()
    assert "bounding_box" not in show_message(box)
    box.bounding_box.SetInParent()
    assert show_message(box)["bounding_box"] == {"top_row": 0, "left_col": 0, "bottom_row": 0, "right_col": 0}
    data = resources_pb2.Data(frames=[resources_pb2.Frame(frame_info=resources_pb2.FrameInfo())])
    assert show_message(data)["frames"][0]["frame_info"].keys() >= {"index", "time"}


def test_large_integers_are_texts() -> None:
    assert show_message(resources_pb2.Data(int_value=2**53 - 1))["int_value"] == 2**53 - 1
    assert show_message(resources_pb2.Data(int_value=2**53))["int_value"] == str(2**53)
    assert show_message(resources_pb2.Data(int_value=-(2**63)))["int_value"] == str(-(2**63))


def test_what_is_no_number_is_a_text() -> None:
    concept = resources_pb2.Concept(value=math.nan)
    assert show_message(concept)["value"] == "NaN"
    assert math.isnan(read_message(resources_pb2.Concept, print_message(concept)).value)
    held = Struct()
    held.update({"a": math.nan, "b": math.inf})
    assert strict(print_message(held)) == {"a": "NaN", "b": "Infinity"}


@pytest.mark.parametrize(("seconds", "nanos"), [(2**62, 0), (-(2**62), 5), (0, -5), (0, 2**31 - 1)])
def test_a_time_that_is_none_is_printed_as_the_nearest(seconds: int, nanos: int) -> None:
    printed = show_message(Timestamp(seconds=seconds, nanos=nanos))
    Timestamp().FromJsonString(printed)


# --- reading --------------------------------------------------------------------------------------


def test_a_concept_without_a_value_has_one() -> None:
    """Also in regions, frames and models; an explicit zero stays."""
    body = {
        "concepts": [{"id": "a"}, {"id": "b", "value": 0}, {"id": "c", "value": None}, {"id": "d", "value": 0.25}],
        "regions": [{"data": {"concepts": [{"id": "e"}]}}],
        "frames": [{"data": {"regions": [{"data": {"concepts": [{}, {"value": 0.0}]}}]}}],
    }
    data = read_message(resources_pb2.Data, json.dumps(body).encode())
    assert [c.value for c in data.concepts] == [1, 0, 1, 0.25]
    assert data.regions[0].data.concepts[0].value == 1
    assert [c.value for c in data.frames[0].data.regions[0].data.concepts] == [1, 0]
    model = read_message(
        resources_pb2.Model, b'{"model_version": {"output_info": {"data": {"concepts": [{"id":"x"}]}}}}'
    )
    assert model.model_version.output_info.data.concepts[0].value == 1
    assert show_message(model)["model_version"]["output_info"]["data"]["concepts"][0]["value"] == 1


@pytest.mark.parametrize(
    "written",
    ["+/8A", "-_8A", "+/8A\n", "data:image/png;base64,+/8A", "DATA:;base64,-_8A", "+/ 8A"],
)
def test_bytes_come_in_several_forms(written: str) -> None:
    assert octets(written) == b"\xfb\xff\x00"


@given(st.binary(max_size=20), st.booleans(), st.booleans(), st.sampled_from(["", "data:image/jpeg;base64,"]))
def test_bytes_are_read_with_or_without_padding(raw: bytes, urlsafe: bool, padded: bool, head: str) -> None:
    written = (base64.urlsafe_b64encode if urlsafe else base64.b64encode)(raw).decode()
    assert octets(head + (written if padded else written.rstrip("="))) == raw


def test_unknown_names_are_passed_over_and_camel_case_is_taken() -> None:
    body = b'{"userAppId": {"appId": "a", "later": [1, {"x": null}]}, "brand_new": 1, "perPage": 4}'
    read = read_message(service_pb2.ListInputsRequest, body)
    assert (read.user_app_id.app_id, read.per_page) == ("a", 4)


def test_null_is_absent_save_in_a_value() -> None:
    read = read_message(service_pb2.PostInputsRequest, b'{"user_app_id": null, "inputs": null}')
    assert read == service_pb2.PostInputsRequest()
    held = read_message(Struct, b'{"a": null}')
    assert held.fields["a"].WhichOneof("kind") == "null_value"


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}"])
def test_nothing_is_an_empty_message(body: bytes) -> None:
    assert read_message(service_pb2.PostInputsRequest, body) == service_pb2.PostInputsRequest()


INPUT, KIND = '{"inputs": [{}, {"data": %s}]}', service_pb2.PostInputsRequest


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ('{"concepts": {"id": 1}}', r"inputs\[1\]\.data\.concepts is an object; a list"),
        ('{"concepts": [{"id": 1}]}', r"inputs\[1\]\.data\.concepts\[0\]\.id is 1; a text"),
        ('{"concepts": [{"value": "much"}]}', r'concepts\[0\]\.value is "much"; a number'),
        ('{"concepts": [{"value": 1e39}]}', r"value is 1e\+39; numbers there end at 3.402"),
        ('{"concepts": [{"value": 1e999}]}', "value is too large"),
        ('{"concepts": [null]}', r"concepts\[0\] is null; an object"),
        ('{"image": "x"}', 'image is "x"; an object'),
        ('{"image": {"base64": "!"}}', r"image\.base64 is .* no base64"),
        ('{"image": {"base64": 5}}', "bytes in base64 are expected"),
        ('{"image": {"base64": "data:image/png,x"}}', "data URL"),
        ('{"image": {"allow_duplicate_url": 1}}', "allow_duplicate_url is 1; true or false"),
        ('{"image": {"url": "\\ud800"}}', r"image\.url holds half of a surrogate pair"),
        ('{"metadata": {"\\udc00": 1}}', "surrogate"),
        ('{"metadata": {"a": ["\\ud800"]}}', r"metadata\.a\[0\] holds half"),
        ('{"metadata": []}', "metadata is a list; an object"),
        ('{"int_value": 9223372036854775808}', "legal are -9223372036854775808 to"),
        ('{"int_value": 1.5}', "int_value is 1.5; an integer"),
        ('{"image": {}, "image": {}}', '"image" twice'),
    ],
)
def test_what_is_wrong_is_said_with_its_place(data: str, says: str) -> None:
    with pytest.raises(BadRequestFormat, match=says):
        read_message(KIND, (INPUT % data).encode())


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a": "\xff"}', "not UTF-8: byte 0xff at 7"),
        (b"{", "no JSON: .*line 1, column 2"),
        (b"[]", "the body is a list; an object is expected"),
        (b'{"per_page": 1, "perPage": 2}', "per_page is there twice"),
        (b'{"x": ' + b"[" * 5000 + b"]" * 5000 + b"}", "too deeply"),
        (b'{"page": ' + b"9" * 5000 + b"}", "digits"),
        (b'{"page": NaN}', "NaN, which is no JSON"),
        (b'{"page": true}', "page is true; an integer"),
        (b"inputs=x", "no JSON"),
    ],
)
def test_a_body_that_is_none_is_refused_in_words(body: bytes, says: str) -> None:
    with pytest.raises(BadRequestFormat, match=says):
        read_message(service_pb2.ListInputsRequest, body)


def test_alternatives_exclude_each_other() -> None:
    with pytest.raises(BadRequestFormat, match="alternatives of"):
        read_message(resources_pb2.Worker, b'{"user": {"id": "a"}, "model": {"id": "b"}}')


def test_an_enum_that_is_none_names_the_legal_ones() -> None:
    with pytest.raises(BadRequestFormat, match=r"legal are .*PRIVATE.*PUBLIC"):
        read_message(resources_pb2.Visibility, b'{"gettable": "OPEN"}')
    assert read_message(resources_pb2.Visibility, b'{"gettable": "PUBLIC"}').gettable == 50
    assert read_message(resources_pb2.Visibility, b'{"gettable": 50}').gettable == 50
    with pytest.raises(BadRequestFormat, match="the names of StatusCode"):
        read_message(service_pb2.ListAnnotationsRequest, b'{"statuses": [{"code": "FINE"}]}')


def nested(levels: int) -> bytes:
    return b'{"metadata": ' + b'{"a": ' * levels + b"1" + b"}" * levels + b"}"


def lists(levels: int) -> bytes:
    return b'{"metadata": {"a": ' + b"[" * levels + b"]" * levels + b"}}"


def regions(levels: int) -> bytes:
    return b'{"regions": [{"data": ' * levels + b"{}" + b"}]}" * levels


@pytest.mark.parametrize("form", [nested, lists, regions])
def test_what_is_read_can_be_stored_and_read_again(form: Any) -> None:
    """What is deeper is refused in words, before protobuf fails on what it wrote itself."""
    deepest, refused = 0, ""
    for levels in range(1, 120):
        read, refused = attempt(resources_pb2.Data, form(levels))
        if read is None:
            break
        reply = service_pb2.MultiInputResponse(inputs=[resources_pb2.Input(data=read)])
        assert service_pb2.MultiInputResponse.FromString(reply.SerializeToString()) == reply
        assert read_message(resources_pb2.Data, print_message(read)) == read
        deepest = levels
    assert 20 < deepest < 50
    assert "nested too deeply" in refused


@given(PLAIN)
def test_a_struct_holds_any_json(value: Any) -> None:
    body = json.dumps({"k": value}).encode()
    assert strict(print_message(read_message(Struct, body))) == {"k": value}
    assert plain(body) == {"k": value}

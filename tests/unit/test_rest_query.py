"""Parameters of a query, put into requests."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from labelwright.errors import BadRequestFormat
from labelwright.protocol.methods import methods
from labelwright.protocol.rest import query as queries
from labelwright.protocol.rest.query import put_query


def read(kind: type[Any], query: str) -> Any:
    request = kind()
    put_query(request, query.encode())
    return request


def test_names_are_dotted_and_repeated() -> None:
    made = read(
        service_pb2.ListAnnotationsRequest,
        "user_app_id.user_id=me&user_app_id.app_id=a+b%2Bc&ids=x%2C&ids=y&page=2&per_page=10"
        "&list_all_annotations=True&statuses.code=24150&statuses.code=ANNOTATION_PENDING&nothing=1&page.x=1&user_app_id.x.y=1&user_app_id.app_id.z=",
    )
    assert (made.user_app_id.user_id, made.user_app_id.app_id) == ("me", "a b+c")
    assert list(made.ids) == ["x,", "y"]
    assert (made.page, made.per_page, made.list_all_annotations) == (2, 10, True)
    assert [s.code for s in made.statuses] == [24150, 24151]


def test_long_names_are_not_remembered() -> None:
    before = queries._target.cache_info().currsize
    assert read(service_pb2.ListInputsRequest, f"page=2&{'x' * 60_000}=1").page == 2
    assert queries._target.cache_info().currsize <= before + 1


@pytest.mark.parametrize("written", ["true", "True", "TRUE", "1"])
def test_what_is_true(written: str) -> None:
    assert read(service_pb2.ListAnnotationsRequest, f"list_all_annotations={written}").list_all_annotations is True


@pytest.mark.parametrize("written", ["false", "False", "0", ""])
def test_what_is_false(written: str) -> None:
    assert read(service_pb2.ListAnnotationsRequest, f"list_all_annotations={written}").list_all_annotations is False


def test_camel_case_does_too() -> None:
    assert read(service_pb2.ListInputsRequest, "userAppId.appId=a&perPage=3").per_page == 3


def test_an_empty_number_is_none() -> None:
    assert read(service_pb2.ListInputsRequest, "page=&per_page=") == service_pb2.ListInputsRequest()


def test_enums_go_by_name_or_number() -> None:
    kind = service_pb2.ListTasksRequest
    enum = kind.DESCRIPTOR.fields_by_name["input_source_type"].enum_type
    assert enum is not None
    names = enum.values_by_name
    by_name = read(kind, "input_source_type=DATASET")
    assert by_name == read(kind, f"input_source_type={names['DATASET'].number}")
    assert by_name.input_source_type != 0
    several = read(service_pb2.ListDatasetVersionsRequest, "request_origins=1&request_origins=2")
    assert list(several.request_origins) == [1, 2]
    with pytest.raises(BadRequestFormat, match=r"legal are .*DATASET"):
        read(kind, "input_source_type=dataset")


def test_times_and_wrapped_values_are_texts() -> None:
    made = read(resources_pb2.Key, "created_at=2024-05-31T12:00:00Z")
    assert made.created_at.seconds == 1717156800
    with pytest.raises(BadRequestFormat, match="RFC 3339"):
        read(resources_pb2.Key, "created_at=yesterday")
    wrapping = resources_pb2.DESCRIPTOR.message_types_by_name
    holders = [
        (m, f)
        for m in wrapping.values()
        for f in m.fields
        if f.message_type is not None and f.message_type.full_name == "google.protobuf.BoolValue" and not f.is_repeated
    ]
    kind = GetMessageClass(holders[0][0])
    field = holders[0][1].name
    assert getattr(read(kind, f"{field}=true"), field).value is True
    made = read(kind, f"{field}=false")
    assert made.HasField(field)
    assert getattr(made, field).value is False


@pytest.mark.parametrize(
    ("kind", "query", "says"),
    [
        (service_pb2.ListInputsRequest, "page=two", 'page in the query is "two"; an integer'),
        (service_pb2.ListInputsRequest, "page=99999999999", "page in the query .* legal are 0 to 4294967295"),
        (service_pb2.ListInputsRequest, "page=1&page=2", "page stands 2 times"),
        (service_pb2.ListAnnotationsRequest, "list_all_annotations=yes", "legal are true and false"),
        (service_pb2.ListInputsRequest, "user_app_id=x", "user_app_id can't be given .* as user_app_id.<field>"),
        (service_pb2.PostInputsRequest, "inputs=x", "inputs can't be given"),
        (service_pb2.ListInputsRequest, "page=%ff", "not UTF-8"),
    ],
)
def test_what_is_wrong_is_named(kind: type[Message], query: str, says: str) -> None:
    with pytest.raises(BadRequestFormat, match=says):
        read(kind, query)


@given(
    st.sampled_from(sorted(methods())),
    st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=4),
    st.data(),
)
def test_no_query_is_worse_than_refused(name: str, pairs: list[tuple[str, str]], data: st.DataObject) -> None:
    kind = methods()[name].request
    names = [f.name for f in kind.DESCRIPTOR.fields] or ["x"]
    pairs = [(data.draw(st.sampled_from([*names, n])), v) for n, v in pairs]
    raw = "&".join(f"{n}={v}" for n, v in pairs).encode()
    request = kind()
    with contextlib.suppress(BadRequestFormat):
        put_query(request, raw)
    assert kind.FromString(request.SerializeToString()) == request

"""Every path of the API leads to its RPC."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api import service_pb2

from labelwright.errors import BadRequestFormat
from labelwright.protocol.methods import methods
from labelwright.protocol.rest.bindings import Binding, bindings
from labelwright.protocol.rest.query import put_path, segments
from labelwright.protocol.rest.trie import Trie, values

TRIE = Trie(bindings())


def filled(binding: Binding) -> tuple[str, dict[str, str]]:
    """A path for a binding, and what its variables then hold."""
    given = {name: f"{name} %/{i}ü" for i, name in enumerate(binding.variables)}
    path = binding.template
    for i, name in enumerate(binding.variables):
        path = path.replace(f"{{{name}}}", f"{name}%20%25%2F{i}%C3%BC")
    return path, given


def test_the_service_has_these_many_bindings() -> None:
    assert len(bindings()) == 467
    assert {b.method for b in bindings()} == set(methods())
    assert {b.verb for b in bindings()} == {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest.mark.parametrize("binding", bindings(), ids=lambda b: f"{b.method}-{b.verb}-{b.template}")
def test_a_binding_reaches_its_rpc_with_what_the_path_says(binding: Binding) -> None:
    path, given = filled(binding)
    parts = list(segments(path.encode()))
    found = TRIE.find(binding.verb, parts)
    assert found is not None
    if binding.hidden_by:
        assert found.method == binding.hidden_by
        return
    assert found is binding
    assert binding.verb in TRIE.verbs(parts)
    request = methods()[binding.method].request()
    put_path(request, values(found, parts))
    for name, value in given.items():
        held = request
        for step in name.split("."):
            held = getattr(held, step)
        assert held == value


def test_the_first_declaration_wins() -> None:
    hidden = {(b.method, b.hidden_by) for b in bindings() if b.hidden_by}
    assert hidden == {
        ("PatchRunners", "PostRunners"),
        ("StreamLogEntries", "ListLogEntries"),
        ("ListPipelines", "PostPipelines"),
    }


def test_a_literal_comes_before_a_variable_and_the_rest_decides() -> None:
    known = [
        Binding("Literal", "GET", "/v2/a/types/{id}/x", ""),
        Binding("Variable", "GET", "/v2/a/{model_id}/y/y", ""),
        Binding("Short", "GET", "/v2/a/{model_id}", ""),
        Binding("Post", "POST", "/v2/a/types", "*"),
    ]
    trie = Trie(known)

    def find(verb: str, path: str) -> str | None:
        found = trie.find(verb, path.split("/"))
        return found.method if found else None

    assert find("GET", "v2/a/types/1/x") == "Literal"
    assert find("GET", "v2/a/types/y/y") == "Variable"
    assert find("GET", "v2/a/types") == "Short"
    assert find("POST", "v2/a/types") == "Post"
    assert trie.verbs(["v2", "a", "types"]) == ["GET", "POST"]
    assert find("GET", "v2/a") is None
    assert find("GET", "v2/a/") is None, "an empty segment is no value"
    assert find("GET", "v2/a/b/") is None
    assert trie.verbs(["v2", "nothing"]) == []


def test_a_form_of_path_that_is_not_known_is_not_served_wrongly() -> None:
    assert all(part.startswith("{") == part.endswith("}") for b in bindings() for part in b.segments)
    assert all("=" not in b.template and "*" not in b.template for b in bindings())


def test_an_id_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(BadRequestFormat, match="input_id in the path"):
        put_path(service_pb2.GetInputRequest(), {"input_id": "%ff"})


def test_a_variable_outranks_what_stands_there() -> None:
    request = service_pb2.GetInputRequest(input_id="of the body")
    put_path(request, {"input_id": "a%2Bb+c"})
    assert request.input_id == "a+b+c"

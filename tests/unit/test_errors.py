"""The errors against the API's own numbers."""

from __future__ import annotations

import grpc
import pytest
from clarifai_grpc.grpc.api.status import status_code_pb2

from labelwright import errors
from labelwright.errors import LabelwrightError

CLASSES = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, LabelwrightError)]
GRPC_CODES = {code.value[0] for code in grpc.StatusCode}


@pytest.mark.parametrize("error", CLASSES)
def test_an_error_knows_its_codes(error: type[LabelwrightError]) -> None:
    assert error.code == status_code_pb2.StatusCode.Value(error.code_name)
    assert error.grpc_code in GRPC_CODES - {0}
    assert 400 <= error.http_status < 600


@pytest.mark.parametrize("error", CLASSES)
def test_an_errors_docstring_is_its_message(error: type[LabelwrightError]) -> None:
    assert "__doc__" in vars(error)
    assert error.__doc__
    description = error().description
    assert description
    assert not description.endswith(".")
    assert str(error()) == description
    assert str(error("what was found")) == error("what was found").details == "what was found"


def test_the_texts_that_clients_match_on() -> None:
    assert errors.DoesNotExist().description == "Resource does not exist"
    assert errors.ModelDoesNotExist().description == "Model does not exist"
    assert errors.KeyNotFound().description == "API key not found"
    assert errors.KeyInvalid().description == "Invalid API key or Invalid API key/application pair"
    assert errors.ConceptsInvalidRequest().description == "Invalid request"


def test_every_error_of_ours_has_the_one_root() -> None:
    strays = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception) and e not in CLASSES]
    assert strays == []
    assert len(CLASSES) > 20

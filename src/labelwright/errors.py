"""The one error root.

Each error knows its Clarifai status code, its gRPC code and its HTTP status; whoever catches it at the
edge needs no table. The numbers are written out here so that rooms without protobuf can raise them;
a test holds each against the name it has in ``status_code_pb2``.

The default message is the API's own text where clients match on it. ``details`` says what was found,
what is legal, and what to do.
"""

from __future__ import annotations

from typing import ClassVar


class LabelwrightError(Exception):
    """Internal error."""

    code: ClassVar[int] = 10020
    """Clarifai status code (``StatusCode``)."""
    code_name: ClassVar[str] = "FAILURE"
    grpc_code: ClassVar[int] = 13
    """gRPC status code, as in ``grpc.StatusCode``: used only where a call can't be answered with a Status."""
    http_status: ClassVar[int] = 500

    def __init__(self, details: str = "") -> None:
        super().__init__(details or self.description)
        self.details = details

    @property
    def description(self) -> str:
        """The first line of the class's docstring, without its full stop."""
        return (type(self).__doc__ or "").strip().splitlines()[0].removesuffix(".")


class NotImplementedByServer(LabelwrightError):
    """Not implemented."""

    code, code_name, grpc_code, http_status = 10040, "NOT_IMPLEMENTED", 12, 501


class Overloaded(LabelwrightError):
    """Try again."""

    code, code_name, grpc_code, http_status = 10030, "TRY_AGAIN", 14, 503


# --- who calls ------------------------------------------------------------------------------------


class KeyInvalid(LabelwrightError):
    """Invalid API key or Invalid API key/application pair."""

    code, code_name, grpc_code, http_status = 11008, "CONN_KEY_INVALID", 16, 401


class KeyNotFound(LabelwrightError):
    """API key not found."""

    code, code_name, grpc_code, http_status = 11009, "CONN_KEY_NOT_FOUND", 16, 401


class SignatureInvalid(LabelwrightError):
    """Invalid credentials."""

    code, code_name, grpc_code, http_status = 11002, "CONN_CREDENTIALS_INVALID", 16, 401


class NoCredentials(LabelwrightError):
    """Invalid request."""

    code, code_name, grpc_code, http_status = 11102, "CONN_INVALID_REQUEST", 16, 401


class InsufficientScopes(LabelwrightError):
    """Insufficient scopes."""

    code, code_name, grpc_code, http_status = 11007, "CONN_INSUFFICIENT_SCOPES", 7, 403


class Throttled(LabelwrightError):
    """Making too many requests."""

    code, code_name, grpc_code, http_status = 11005, "CONN_THROTTLED", 8, 429


# --- what is asked for ----------------------------------------------------------------------------


class BadRequestFormat(LabelwrightError):
    """Malformed request."""

    code, code_name, grpc_code, http_status = 11100, "CONN_BAD_REQUEST_FORMAT", 3, 400


class InvalidRequest(LabelwrightError):
    """Invalid request."""

    code, code_name, grpc_code, http_status = 11102, "CONN_INVALID_REQUEST", 3, 400


class RequestTooLarge(LabelwrightError):
    """Malformed request."""

    code, code_name, grpc_code, http_status = 11100, "CONN_BAD_REQUEST_FORMAT", 8, 413


class DoesNotExist(LabelwrightError):
    """Resource does not exist."""

    code, code_name, grpc_code, http_status = 11101, "CONN_DOES_NOT_EXIST", 5, 404


class MethodNotAllowed(LabelwrightError):
    """Method not allowed."""

    code, code_name, grpc_code, http_status = 11103, "CONN_METHOD_NOT_ALLOWED", 12, 405


class ExceedsLimits(LabelwrightError):
    """Limits exceeded."""

    code, code_name, grpc_code, http_status = 11006, "CONN_EXCEEDS_LIMITS", 8, 429


# --- resources ------------------------------------------------------------------------------------


class AppDuplicate(LabelwrightError):
    """Application has duplicate ID or name."""

    code, code_name, grpc_code, http_status = 40010, "DATABASE_DUPLICATE_KEY", 6, 409


class CollaboratorDuplicate(LabelwrightError):
    """Collaborator has a duplicate."""

    code, code_name, grpc_code, http_status = 40010, "DATABASE_DUPLICATE_KEY", 6, 409


class ConceptsInvalidRequest(LabelwrightError):
    """Invalid request."""

    code, code_name, grpc_code, http_status = 40003, "CONCEPTS_INVALID_REQUEST", 3, 400


class ModelDoesNotExist(LabelwrightError):
    """Model does not exist."""

    code, code_name, grpc_code, http_status = 21200, "MODEL_DOES_NOT_EXIST", 5, 404


class ModelPermissionDenied(LabelwrightError):
    """Model permission denied."""

    code, code_name, grpc_code, http_status = 21201, "MODEL_PERMISSION_DENIED", 7, 403


class ModelInvalidArgument(LabelwrightError):
    """Model has invalid argument."""

    code, code_name, grpc_code, http_status = 21202, "MODEL_INVALID_ARGUMENT", 3, 400


class ModelInvalidRequest(LabelwrightError):
    """Invalid model request."""

    code, code_name, grpc_code, http_status = 21203, "MODEL_INVALID_REQUEST", 3, 400


class EvaluationNeedsLabels(LabelwrightError):
    """Evaluation needs labels."""

    code, code_name, grpc_code, http_status = 21315, "MODEL_EVALUATION_NEED_LABELS", 9, 400


class WorkflowDuplicate(LabelwrightError):
    """Workflow has duplicate ID."""

    code, code_name, grpc_code, http_status = 22100, "WORKFLOW_DUPLICATE", 6, 409


class WorkflowInvalidArgument(LabelwrightError):
    """Workflow has invalid argument."""

    code, code_name, grpc_code, http_status = 22104, "WORKFLOW_INVALID_ARGUMENT", 3, 400


class WorkflowInvalidGraph(LabelwrightError):
    """Workflow has an invalid graph."""

    code, code_name, grpc_code, http_status = 22107, "WORKFLOW_INVALID_GRAPH", 3, 400


class WorkflowNodeFailed(LabelwrightError):
    """Workflow failed on this input."""

    code, code_name, grpc_code, http_status = 22108, "WORKFLOW_INTERNAL_FAILURE", 13, 500


class InputDoesNotExist(LabelwrightError):
    """Input does not exist."""

    code, code_name, grpc_code, http_status = 30102, "INPUT_DOES_NOT_EXIST", 5, 404


class InputFailed(LabelwrightError):
    """Download failed; check URL."""

    code, code_name, grpc_code, http_status = 30002, "INPUT_DOWNLOAD_FAILED", 3, 400


class InputDuplicate(LabelwrightError):
    """Input has a duplicate."""

    code, code_name, grpc_code, http_status = 30100, "INPUT_DUPLICATE", 6, 409


class InputUnsupportedFormat(LabelwrightError):
    """Unsupported input format."""

    code, code_name, grpc_code, http_status = 30101, "INPUT_UNSUPPORTED_FORMAT", 3, 400


class InputInvalidArgument(LabelwrightError):
    """Input has invalid argument."""

    code, code_name, grpc_code, http_status = 30104, "INPUT_INVALID_ARGUMENT", 3, 400


class InputOverLimit(LabelwrightError):
    """Input is over the limit."""

    code, code_name, grpc_code, http_status = 30105, "INPUT_OVER_LIMIT", 3, 413


class InputInvalidUrl(LabelwrightError):
    """Invalid input URL."""

    code, code_name, grpc_code, http_status = 30106, "INPUT_INVALID_URL", 3, 400


class InputInvalidRequest(LabelwrightError):
    """Invalid input request."""

    code, code_name, grpc_code, http_status = 39999, "INPUT_INVALID_REQUEST", 3, 400


class InputConnectionFailed(LabelwrightError):
    """Input connection failed."""

    code, code_name, grpc_code, http_status = 39996, "INPUT_CONNECTION_FAILED", 3, 400


class AnnotationInvalidArgument(LabelwrightError):
    """Annotation has invalid argument."""

    code, code_name, grpc_code, http_status = 24155, "ANNOTATION_INVALID_ARGUMENT", 3, 400


class AnnotationPermissionDenied(LabelwrightError):
    """Annotation permission denied."""

    code, code_name, grpc_code, http_status = 24156, "ANNOTATION_PERMISSION_DENIED", 7, 403


# --- training -------------------------------------------------------------------------------------


class ModelUntrained(LabelwrightError):
    """Model is untrained."""

    code, code_name, grpc_code, http_status = 21102, "MODEL_UNTRAINED", 9, 400


class TrainingFailed(LabelwrightError):
    """Custom model training: failed."""

    code, code_name, grpc_code, http_status = 21106, "MODEL_TRAINING_FAILED", 13, 500


class TrainingNoData(LabelwrightError):
    """Custom model training: no data."""

    code, code_name, grpc_code, http_status = 21110, "MODEL_TRAINING_NO_DATA", 9, 400


class TrainingNoPositives(LabelwrightError):
    """Custom model training: no positive examples."""

    code, code_name, grpc_code, http_status = 21111, "MODEL_TRAINING_NO_POSITIVES", 9, 400


class TrainingSingleClass(LabelwrightError):
    """Custom model training: one vs n with a single class."""

    code, code_name, grpc_code, http_status = 21112, "MODEL_TRAINING_ONE_VS_N_SINGLE_CLASS", 9, 400


class TrainingTimedOut(LabelwrightError):
    """Custom model training: timed out."""

    code, code_name, grpc_code, http_status = 21113, "MODEL_TRAINING_TIMED_OUT", 4, 400


class TrainingInsufficientData(LabelwrightError):
    """Custom model training: insufficient data."""

    code, code_name, grpc_code, http_status = 21117, "MODEL_TRAINING_INSUFFICIENT_DATA", 9, 400


class TrainingInvalidParams(LabelwrightError):
    """Custom model training: invalid params."""

    code, code_name, grpc_code, http_status = 21118, "MODEL_TRAINING_INVALID_PARAMS", 3, 400


# --- the server itself ----------------------------------------------------------------------------


class ConfigurationError(LabelwrightError):
    """The configuration is not usable."""


class StoreError(LabelwrightError):
    """The store can't be used."""

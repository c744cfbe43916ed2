"""The annotation writer: drafts annotations from whatever Data reaches it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Data

from labelwright.errors import ModelInvalidArgument
from labelwright.operators.registry import ANY, Kind, ModelType, Param, register
from labelwright.operators.values import Batch, Draft, Operator, Output, Snapshot

STATUSES = {
    "ANNOTATION_SUCCESS": 24150,
    "ANNOTATION_PENDING": 24151,
    "ANNOTATION_AWAITING_REVIEW": 24157,
    "ANNOTATION_AWAITING_CONSENSUS_REVIEW": 24159,
}

_WHOLE = ("concepts", "metadata", "geo", "text", "clusters")
"""What is said of a whole input."""
_NEVER = ("image", "video", "audio", "embeddings")
"""Media are the input's own, a region's crop included, and embeddings have a table of their own."""


def split(data: Data) -> list[Data]:
    """One Data an annotation: what is said of the whole input together, then each region, then each frame."""
    parts = []
    whole = Data()
    fields = data.ListFields()
    if len(fields) == 1 and fields[0][0].name == "concepts":
        # The common case; nothing in it needs a copy, since drafts are only read.
        return [data]
    for field, value in fields:
        if field.name in _WHOLE:
            if field.is_repeated:
                getattr(whole, field.name).extend(value)
            else:
                getattr(whole, field.name).CopyFrom(value)
    # A Struct or Geo may be present and empty: that says nothing.
    if whole.ByteSize() and any(len(v) if f.is_repeated else v.ByteSize() for f, v in whole.ListFields()):
        parts.append(whole)
    places = [Data(regions=[region]) for region in data.regions] + [Data(frames=[frame]) for frame in data.frames]
    for part in places:
        _take_out(part)
    return parts + places


def _take_out(data: Data) -> None:
    """Take media and embeddings out of ``data`` and of all that lies within."""
    for field, _ in data.ListFields():
        if field.name in _NEVER:
            data.ClearField(field.name)  # type: ignore[arg-type]
    for places in (data.regions, data.frames):
        for place in places:
            _take_out(place.data)


def make(params: Mapping[str, Any], _data: Data, snapshot: Snapshot) -> Operator:
    """Build a writer."""
    user_id: str = params["annotation_user_id"]
    if user_id == "me":
        # A model is the app's, whoever posted it: at work nobody is there whose "me" it could be.
        user_id = snapshot.user_id
    if user_id and user_id not in snapshot.people:
        raise ModelInvalidArgument(
            f"annotation-writer: annotation_user_id is {user_id!r}, who is neither the owner of the app nor a "
            f"collaborator; legal are: {', '.join(sorted(snapshot.people))}"
        )
    author = user_id or snapshot.user_id
    status_code: int = params["annotation_status"]
    info = params["annotation_info"]

    def run(batch: Batch) -> Output:
        drafts = [[Draft(part, status_code, author, info) for part in split(data)] for data in batch.data]
        return Output(data=list(batch.data), drafts=drafts)

    return run


register(
    ModelType(
        id="annotation-writer",
        title="Annotation writer",
        description=(
            "Writes what reaches it as annotations, in a user's name and with a status: what is said of the "
            "whole input as one annotation, each region and each frame as one more. It writes only where the "
            "workflow is the app's default and runs on an added input; a preview writes nothing."
        ),
        inputs=ANY,
        outputs=ANY,
        params=(
            Param(
                "annotation_status",
                Kind.ENUM,
                "The status that the annotations get.",
                required=True,
                options=STATUSES,
            ),
            Param(
                "annotation_user_id",
                Kind.USER,
                "In whose name they are written: the app's owner or a collaborator. Empty: the owner.",
                default="",
            ),
            Param("annotation_info", Kind.JSON, "A JSON object that each annotation carries.", default=None),
        ),
        make=make,
        writes=True,
    )
)

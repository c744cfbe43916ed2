"""Adding inputs: which of them are accepted, and putting those on disk before the call answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Data, Input
from sqlalchemy import Connection, Row

from labelwright.annotator.intake import TEXT_LIMIT
from labelwright.errors import (
    DoesNotExist,
    InputDuplicate,
    InputInvalidArgument,
    InputInvalidRequest,
    InputInvalidUrl,
    InputOverLimit,
    LabelwrightError,
)
from labelwright.ids import MAX_FREE_ID, free_id_problem, new_id
from labelwright.protocol.dispatch import Call
from labelwright.protocol.hosted import Hosting
from labelwright.protocol.items import overall
from labelwright.protocol.resources import input_jobs
from labelwright.protocol.resources.annotation_data import dressed, is_empty, register, to_rows
from labelwright.protocol.resources.input_messages import MAX_INPUTS, MEDIA, forget_media, said
from labelwright.protocol.wire import error_status, set_time, status
from labelwright.store import annotations as stored
from labelwright.store import inputs
from labelwright.store import tables as t

SUCCESS = 24150
"""ANNOTATION_SUCCESS: what a person says with an input counts at once."""

# Clients look for these texts to tell the two apart from other failures.
DUPLICATE_ID = "Input has a duplicate ID."
DUPLICATE_URL = "Duplicate URL in your application"

SUFFIXES = 9


@dataclass(slots=True)
class Draft:
    """One input of a call on its way."""

    given: Input
    id: str
    media: Data = field(default_factory=Data)
    """What the row keeps of its data: a URL, or a text; no bytes."""
    said: Data | None = None
    content: bytes | None = None
    """The media's bytes, where they came with the call."""
    key: str | None = None
    """Where they lie in the media store."""
    url_hash: bytes | None = None
    error: LabelwrightError | None = None


def post(call: Call, request: service_pb2.PostInputsRequest) -> service_pb2.MultiInputResponse:
    """Accept inputs one by one, and write those that are good in one transaction.

    Raises:
        InputInvalidRequest: there are none, or too many.
        DoesNotExist: the app is not there.
    """
    if not 1 <= len(request.inputs) <= MAX_INPUTS:
        raise InputInvalidRequest(f"{len(request.inputs)} inputs given; 1 to {MAX_INPUTS} a call are legal")
    input_jobs.check_id(request.inputs_add_job_id)
    suffix = request.input_id_conflict_resolution == resources_pb2.SUFFIX
    limit = call.server.settings.max_media_bytes
    drafts = [_draft(given, limit) for given in request.inputs]
    kept: list[str] = []
    hosting = Hosting(call)
    committing = False
    try:
        if any(d.content is not None and d.error is None for d in drafts):
            kept = _keep_media(call, request.user_app_id, drafts, suffix)
        with call.store.write() as conn:
            app = call.app(conn, request.user_app_id, change=True)
            if kept and not kept[0].startswith(f"{app.pk}/"):
                raise DoesNotExist(f"app {app.id!r} was deleted while its inputs were on their way")
            _settle(conn, app.pk, drafts, suffix)
            good = [d for d in drafts if d.error is None]
            job = None
            if request.inputs_add_job_id:
                job = input_jobs.note(conn, app.pk, request.inputs_add_job_id, len(drafts) - len(good))
            replies = _write(conn, app, good, call.user_id, hosting, job)
            committing = True
    except BaseException:
        # While it commits it may have been written even though it raised: media are then better kept in vain.
        if not committing:
            forget_media(call.server.blobs, kept)
        raise
    forget_media(call.server.blobs, [d.key for d in drafts if d.key is not None and d.error is not None])
    if good:
        call.server.wake()
    made = iter(replies)
    return service_pb2.MultiInputResponse(
        status=overall([d.error for d in drafts]),
        inputs=[next(made) if d.error is None else _failed(d, d.error) for d in drafts],
    )


def _draft(given: Input, max_bytes: int) -> Draft:
    draft = Draft(given=given, id=given.id or new_id())
    try:
        if problem := free_id_problem(draft.id):
            raise InputInvalidArgument(f"input id: {problem}")
        if given.dataset_ids:
            raise InputInvalidArgument("datasets are not served yet: leave dataset_ids empty")
        draft.media, draft.content, unique = _media(given.data, max_bytes)
        draft.url_hash = inputs.url_hash(unique) if unique else None
        if _says_anything(given.data):
            found = said(given.data)
            draft.said = None if is_empty(found) else found
    except LabelwrightError as e:
        draft.error = e
    return draft


def _says_anything(data: Data) -> bool:
    """Whether there is more in it than media. Of most inputs nothing is said, and this is quick to see."""
    return any(f.name not in MEDIA for f, _ in data.ListFields())


def _media(data: Data, max_bytes: int) -> tuple[Data, bytes | None, str]:
    """What of the data's media goes into the row, the bytes beside it, and the URL if no other may have it."""
    found = [name for name in MEDIA if _has_content(getattr(data, name), name)]
    if len(found) != 1:
        raise InputInvalidArgument(
            f"the input has {', '.join(found) or 'no media'}; legal is exactly one of {', '.join(MEDIA)}, "
            "with its url or its bytes"
        )
    name = found[0]
    media = getattr(data, name)
    made = Data()
    target = getattr(made, name)
    target.SetInParent()
    target.allow_duplicate_url = media.allow_duplicate_url
    content: bytes | None = media.raw.encode() if name == "text" else media.base64
    if content and media.url:
        raise InputInvalidArgument(f"the {name} has both a url and its content; give one of them")
    if name == "text":
        # It lies in the row itself, and a page of a listing holds 1,000 of them.
        max_bytes = min(max_bytes, TEXT_LIMIT)
    if content and len(content) > max_bytes:
        raise InputOverLimit(f"the {name} has {len(content)} bytes; {max_bytes} at most are legal")
    if name == "text":
        target.raw = media.raw
        content = None
    if not media.url:
        return made, content, ""
    if not media.url.strip().lower().startswith(("http://", "https://")):
        raise InputInvalidUrl("a URL begins with http:// or https://")
    target.url = media.url
    return made, None, "" if media.allow_duplicate_url else media.url


def _has_content(media: Any, name: str) -> bool:
    return bool(media.url or (media.raw if name == "text" else media.base64))


def _keep_media(call: Call, user_app_id: Any, drafts: Sequence[Draft], suffix: bool) -> list[str]:
    """Write the bytes into the media store, all at once; returns their keys.

    What is a duplicate already fails here: clients that retry send the same images again.
    """
    with call.store.read() as conn:
        app = call.app(conn, user_app_id)
        _settle(conn, app.pk, drafts, suffix)
    items = []
    for draft in drafts:
        if draft.content is not None and draft.error is None:
            draft.key = f"{app.pk}/{new_id()}"
            items.append((draft.key, draft.content))
    keys = [key for key, _ in items]
    try:
        call.server.blobs.put_many(items)
    except BaseException:
        forget_media(call.server.blobs, keys)
        raise
    return keys


def _settle(conn: Connection, app: int, drafts: Sequence[Draft], suffix: bool) -> None:
    """Find the drafts whose id or URL is taken, by an input of the app or by an earlier draft."""
    good = [d for d in drafts if d.error is None]
    named = {d.given.id for d in good if d.given.id}
    wanted = {c for id_ in named for c in _candidates(id_)} if suffix else named
    ids = set(inputs.keys(conn, app, wanted)) if wanted else set()
    hashes = {d.url_hash for d in good if d.url_hash is not None}
    urls = inputs.taken_urls(conn, app, hashes) if hashes else set()
    for draft in good:
        if draft.url_hash is not None and draft.url_hash in urls:
            draft.error = InputDuplicate(f"{DUPLICATE_URL}: set allow_duplicate_url to add it once more")
        if draft.given.id:
            draft.id = draft.given.id
            if draft.id in ids and suffix:
                free = (c for c in _candidates(draft.id) if c not in ids)
                # The end of an id: its beginning is the time, which two inputs of a call share.
                draft.id = next(free, "") or _with_suffix(draft.id, f"-{new_id()[-16:]}")
            elif draft.id in ids:
                draft.error = InputDuplicate(DUPLICATE_ID)
        if draft.error is None:
            ids.add(draft.id)
            if draft.url_hash is not None:
                urls.add(draft.url_hash)


def _candidates(id_: str) -> list[str]:
    return [id_, *(_with_suffix(id_, f"-{n}") for n in range(1, SUFFIXES + 1))]


def _with_suffix(id_: str, suffix: str) -> str:
    return id_[: MAX_FREE_ID - len(suffix)] + suffix


def _write(
    conn: Connection, app: Row[Any], good: Sequence[Draft], user_id: str, hosting: Hosting, job: int | None
) -> list[Input]:
    """Insert the inputs with what is said of them; returns them as clients see them."""
    known = register(conn, app, [d.said for d in good if d.said is not None])
    pks, at = inputs.add(
        conn,
        app.pk,
        [
            inputs.NewInput(d.id, d.media.SerializeToString(deterministic=True), media=d.key, url_hash=d.url_hash)
            for d in good
        ],
        add_job=job,
    )
    levels = []
    for pk, draft in zip(pks, good, strict=True):
        if draft.said is not None:
            wire, concepts = to_rows(draft.said, known)
            levels.append(
                stored.NewAnnotation(
                    input=pk,
                    user_id=user_id,
                    status_code=SUCCESS,
                    origin=t.PERSON,
                    wire=wire,
                    concepts=concepts,
                    input_level=True,
                )
            )
    stored.add(conn, app.pk, levels)
    accepted = Input(status=status(t.PENDING))
    set_time(accepted.created_at, at)
    set_time(accepted.modified_at, at)
    shown = []
    for pk, draft in zip(pks, good, strict=True):
        made = _accepted(accepted, draft, None if draft.said is None else dressed(draft.said, known, app))
        hosting.show(made.data, pk, kept=draft.key is not None)
        shown.append(made)
    return shown


def _accepted(like: Input, draft: Draft, said: Data | None) -> Input:
    """The reply for an input that was written, as GetInput would show it, less where its media can be had."""
    made = Input()
    made.CopyFrom(like)
    made.id = draft.id
    made.data.CopyFrom(draft.media)
    if said is not None:
        made.data.MergeFrom(said)
    return made


def _failed(draft: Draft, error: LabelwrightError) -> Input:
    """The reply for an input that was not accepted: what was sent, less its bytes."""
    made = Input(id=draft.given.id, status=error_status(error))
    data = draft.given.data
    for name in MEDIA:
        if getattr(data, name).url:
            getattr(made.data, name).url = getattr(data, name).url
    return made

"""Changing what is said of inputs: their input-level annotations."""

from __future__ import annotations

from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Data

from labelwright.errors import DoesNotExist, InputInvalidRequest
from labelwright.protocol.dispatch import Call
from labelwright.protocol.hosted import Hosting
from labelwright.protocol.merging import check_action, patched
from labelwright.protocol.resources.annotation_data import dressed, from_rows, is_empty, register, to_rows
from labelwright.protocol.resources.input_messages import MAX_INPUTS, said, to_wire
from labelwright.protocol.resources.input_posts import SUCCESS
from labelwright.store import annotations as stored
from labelwright.store import inputs
from labelwright.store import tables as t


def patch(call: Call, request: service_pb2.PatchInputsRequest) -> service_pb2.MultiInputResponse:
    """Change all the inputs or, where one is not there or not legal, none.

    Raises:
        InputInvalidRequest: there are none, or too many.
        InputInvalidArgument: a patch holds what an input can't have.
        DoesNotExist: an input is not there.
    """
    check_action(request.action)
    if not 1 <= len(request.inputs) <= MAX_INPUTS:
        raise InputInvalidRequest(f"{len(request.inputs)} inputs given; 1 to {MAX_INPUTS} a call are legal")
    ids = [i.id for i in request.inputs]
    patches = [said(i.data) for i in request.inputs]
    hosting = Hosting(call)
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        rows = inputs.by_ids(conn, app.pk, set(ids))
        if missing := sorted(set(ids) - set(rows)):
            raise DoesNotExist(f"app {app.id!r} has no input {', '.join(map(repr, missing))}")
        keys = {row.pk for row in rows.values()}
        levels = stored.input_level(conn, keys, lock=True)
        before = stored.concepts_of(conn, [level.pk for level in levels.values()])
        after = {key: from_rows(level.wire, before[level.pk], app) for key, level in levels.items()}
        for id_, change in zip(ids, patches, strict=True):
            key = rows[id_].pk
            after[key] = patched(after.get(key, Data()), change, request.action)
        known = register(conn, app, after.values())
        changes, new = [], []
        for key, data in after.items():
            level = levels.get(key)
            if level is not None:
                scores = {(c.slot, c.concept): c.score for c in before[level.pk]}
                wire, concepts = to_rows(data, known, scores)
                changes.append(
                    stored.Change(
                        pk=level.pk,
                        status_code=level.status_code,
                        origin=level.origin,
                        listed=not is_empty(data),
                        task_id=level.task_id,
                        annotation_info=level.annotation_info,
                        wire=wire,
                        concepts=concepts,
                    )
                )
            elif not is_empty(data):
                wire, concepts = to_rows(data, known)
                new.append(
                    stored.NewAnnotation(
                        input=key,
                        user_id=call.user_id,
                        status_code=SUCCESS,
                        origin=t.PERSON,
                        wire=wire,
                        concepts=concepts,
                        input_level=True,
                    )
                )
        stored.change(conn, changes)
        stored.add(conn, app.pk, new)
        inputs.touch(conn, keys)
        rows = inputs.by_ids(conn, app.pk, set(ids))
    return service_pb2.MultiInputResponse(
        inputs=[to_wire(rows[i], dressed(after[rows[i].pk], known, app), hosting) for i in ids]
    )

"""An app with things to review, and calls of the review's functions as the pages make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Data, Input, Text
from sqlalchemy import select

from labelwright.ids import new_id
from labelwright.protocol.dispatch import Server, call_of
from labelwright.store import annotations as annotation_rows
from labelwright.store import concepts, runs
from labelwright.store import tables as t
from labelwright.store.annotations import NewAnnotation, NewConcept

PENDING, FLAGGED, SUCCESS = 24151, 24157, 24150

Given = dict[str, Any]


class Reviewer:
    """Somebody with a tab."""

    def __init__(self, client: Any, token: str = "", tab: str = "tab", where: Any = None) -> None:
        self._server: Server = client.server
        self._token = token or client.token
        self._where = where or client.user_app_id
        self.tab = tab

    def call(self, what: Callable[..., Given], rpc: str = "PatchAnnotations", **given: Any) -> Given:
        """Call one of the review's functions, as the RPC whose key it needs."""
        call = call_of(self._server, rpc, {"authorization": f"Key {self._token}"})
        return what(call, self._where, {"tab": self.tab, **given})


def add_inputs(client: Any, *ids: str) -> None:
    """Post texts that no worker labels."""
    given = [Input(id=i, data=Data(text=Text(raw=i))) for i in ids]
    for at in range(0, len(given), 128):
        client.call("PostInputs", service_pb2.PostInputsRequest(inputs=given[at : at + 128]))


def predicted(
    client: Any,
    input_id: str,
    concepts_: Sequence[tuple[str, float] | tuple[str, float, int]],
    *,
    data: Data | None = None,
    status: int = PENDING,
    model_version_id: str = "version",
    run: int | None = None,
    **fields: Any,
) -> str:
    """Let a model have proposed something of an input; returns the annotation's id."""
    with client.server.store.write() as conn:
        pk = conn.execute(select(t.inputs.c.pk).where(t.inputs.c.id == input_id)).scalar_one()
        app = conn.execute(select(t.inputs.c.app).where(t.inputs.c.pk == pk)).scalar_one()
        key = concepts.ensure(conn, app, {c[0]: "" for c in concepts_})
        if run is None:
            run = runs.ingest(conn, app, "workflow-version")
        made = NewAnnotation(
            input=pk,
            user_id=client.user_id,
            status_code=status,
            origin=t.MODEL,
            wire=b"" if data is None else data.SerializeToString(deterministic=True),
            concepts=[NewConcept(key[c[0]], c[1], c[1], c[2] if len(c) > 2 else -1) for c in concepts_],
            id=new_id(),
            model_version_id=model_version_id,
            workflow_version_id="workflow-version",
            run=run,
            **fields,
        )
        return annotation_rows.add(conn, app, [made])[0]


def verdict(item: str, concept_id: str, what: str = "accept", **more: Any) -> Given:
    """One verdict as the pages send it."""
    return {"item": item, "concept_id": concept_id, "verdict": what, **more}


def states(reply: Given) -> list[str]:
    """What became of each verdict."""
    return [r["state"] for r in reply["results"]]


def annotations_now(client: Any) -> list[tuple[Any, ...]]:
    """All annotations with their concepts, less what tells when they were changed."""
    with client.server.store.read() as conn:
        rows = conn.execute(select(t.annotations).where(~t.annotations.c.input_level).order_by(t.annotations.c.pk))
        found = []
        for row in rows.all():
            of = select(t.annotation_concepts).where(t.annotation_concepts.c.annotation == row.pk)
            held = [tuple(c) for c in conn.execute(of.order_by(t.annotation_concepts.c.position))]
            found.append((*(v for k, v in row._mapping.items() if k != "modified_at"), tuple(held)))
        return found


def waiting(client: Any) -> list[tuple[Any, ...]]:
    """All that waits, less the random order and who holds it."""
    with client.server.store.read() as conn:
        rows = conn.execute(select(t.review_items).order_by(t.review_items.c.annotation, t.review_items.c.position))
        left_out = {"held_by", "held_until"}
        return [tuple(v for k, v in row._mapping.items() if k not in left_out) for row in rows]


def scanned(client: Any) -> list[tuple[Any, ...]]:
    """What is to wait, told from the annotations alone; rows as in `waiting`."""
    with client.server.store.read() as conn:
        a, c = t.annotations.c, t.annotation_concepts.c
        query = (
            select(
                a.pk, c.position, a.app, a.input, c.concept, a.status_code, c.score, c.value, a.model_version_id, a.run
            )
            .join_from(t.annotations, t.annotation_concepts)
            .where(a.status_code.in_((PENDING, FLAGGED)), ~a.input_level)
            .order_by(a.pk, c.position)
        )
        return [(*row[:6], row[7] if row[6] is None else row[6], *row[8:]) for row in conn.execute(query)]

"""An app as its pages show it: how it stands, its workflow with what flowed through it, its concepts' scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import UserAppIDSet, WorkflowNode, WorkflowVersion
from google.protobuf.json_format import MessageToDict
from sqlalchemy import Connection, Row

from labelwright.annotator import plans
from labelwright.errors import DoesNotExist, InvalidRequest
from labelwright.operators import concept_threshold
from labelwright.protocol import asked
from labelwright.protocol.app_counts import counter
from labelwright.protocol.dispatch import Call
from labelwright.protocol.inputs_page import inputs_page
from labelwright.protocol.resources import apps
from labelwright.protocol.rest.printing import show_message, show_single
from labelwright.protocol.wire import parse
from labelwright.store import concepts, models, node_flows, score_samples, workflows
from labelwright.store import overview as stored
from labelwright.store import tables as t
from labelwright.store.overview import FLAGGED, PENDING, SUCCESS, ConceptCount, by_index

__all__ = ["histogram", "inputs_page", "overview"]

MAX_CONCEPTS = 1000
"""Concepts that an overview lists, those used most first."""
NEWEST = 10_000
"""Labels of a concept that a histogram is made of: its newest. Twice as many took 67 ms of a million on SQLite."""
BINS, MAX_BINS = 40, 200
LONGEST_ID = 256


def overview(call: Call, where: UserAppIDSet, given: Mapping[str, Any]) -> dict[str, Any]:
    """How an app stands.

    Args:
        given: no parameters.

    Returns:
        ``app`` (as the API's JSON); ``inputs`` by status; ``annotations`` by status and by who they come from;
        ``coverage`` and ``labelled``, shares of the inputs from 0 to 1; ``concepts`` (`MAX_CONCEPTS` at most, of
        ``concepts_total``); ``workflow``: the app's default one, or None; ``sampled``: whether the counts of labels
        are estimates so far; ``counted_at`` (ISO).

    Raises:
        InvalidRequest: there are parameters.
        DoesNotExist, InsufficientScopes: as `Call.app`.
    """
    asked.only(given)
    with call.store.read() as conn:
        app = call.app(conn, where)
        by_index(conn)
        remembers = counter(call.store)
        by_code = remembers.inputs(conn, app.pk)
        counted = remembers.of(call.store, conn, app.pk, sum(by_code.values()))
        counts = counted.counts
        shown = apps.reply(conn, [app])
        return {
            "app": show_message(shown[0]),
            "inputs": _inputs(by_code),
            "annotations": _annotations(counts.annotations),
            "coverage": counted.coverage,
            "labelled": counted.labelled,
            "concepts": _concepts(conn, app.pk, counts.concepts),
            "concepts_total": stored.concepts_total(conn, app.pk),
            "workflow": _workflow(conn, app),
            "sampled": counted.sampled,
            "counted_at": datetime.fromtimestamp(counted.at / 1e6, UTC).isoformat(),
        }


def _inputs(by_code: Mapping[int, int]) -> dict[str, int]:
    total = sum(by_code.values())
    named = {
        "pending": by_code.get(t.PENDING, 0),
        "in_progress": by_code.get(t.IN_PROGRESS, 0),
        "done": by_code.get(t.DONE, 0),
    }
    return {"total": total, **named, "failed": total - sum(named.values())}


def _annotations(counted: Mapping[tuple[int, int], int]) -> dict[str, int]:
    by_status: dict[int, int] = defaultdict(int)
    by_origin: dict[int, int] = defaultdict(int)
    for (status_code, origin), n in counted.items():
        by_status[status_code] += n
        by_origin[origin] += n
    return {
        "success": by_status[SUCCESS],
        "pending": by_status[PENDING],
        "flagged": by_status[FLAGGED],
        "by_model": by_origin[t.MODEL],
        "by_people": by_origin[t.PERSON] + by_origin[t.IMPORT],
        "confirmed": by_origin[t.CONFIRMED],
    }


def _concepts(conn: Connection, app: int, counted: list[ConceptCount]) -> list[dict[str, Any]]:
    by_concept: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(("success", "negative", "pending"), 0))
    for c in counted:
        kind = "pending" if c.status_code != SUCCESS else "success" if c.present else "negative"
        by_concept[c.concept][kind] += c.n
    most_used = sorted(by_concept, key=lambda pk: -sum(by_concept[pk].values()))[:MAX_CONCEPTS]
    rows = concepts.by_pks(conn, most_used)
    listed = [rows[pk] for pk in most_used if pk in rows]
    if len(listed) < MAX_CONCEPTS:
        others = concepts.page(conn, app, offset=0, limit=MAX_CONCEPTS)
        listed += [row for row in others if row.pk not in rows][: MAX_CONCEPTS - len(listed)]
    return [{"id": row.id, "name": row.name, **by_concept[row.pk]} for row in listed]


# --- the workflow ---------------------------------------------------------------------------------


def _workflow(conn: Connection, app: Row[Any]) -> dict[str, Any] | None:
    """The app's default workflow, as a graph with what flowed through it in this app."""
    workflow = workflows.by_pk(conn, app.default_workflow) if app.default_workflow else None
    version = workflows.version(conn, workflow.pk) if workflow is not None else None
    if workflow is None or version is None:
        return None
    flows = node_flows.of_version(conn, app.pk, version.id)
    nodes = []
    for node, model in _nodes(conn, version):
        # A model version that has been deleted is still named by the node.
        named = node.model
        flow = flows.get(node.id)
        nodes.append(
            {
                "id": node.id,
                "model_id": model.model_id if model is not None else named.id,
                "model_name": (model.model_name or model.model_id) if model is not None else named.id,
                "model_version_id": model.id if model is not None else named.model_version.id,
                "model_type_id": model.model_type_id if model is not None else named.model_type_id,
                "inputs": [i.node_id for i in node.node_inputs],
                **{name: getattr(flow, name) if flow is not None else 0 for name in node_flows.Flow._fields},
                "thresholds": _thresholds(node, model),
            }
        )
    return {"id": workflow.id, "version_id": version.id, "nodes": nodes}


def _nodes(conn: Connection, version: Row[Any]) -> list[tuple[WorkflowNode, Row[Any] | None]]:
    """The nodes of a workflow's version in the order of the graph, each with its model's version."""
    wire = {n.id: n for n in parse(WorkflowVersion, version.wire).nodes}
    rows = workflows.nodes(conn, version.pk)
    versions = models.versions_by_pk(conn, [r.model_version for r in rows])
    return [(wire[r.node_id], versions.get(r.model_version)) for r in rows]


def _thresholds(node: WorkflowNode, model: Row[Any] | None) -> dict[str, Any] | None:
    """What a concept-threshold node lets pass: the model version's settings with the node's laid over them."""
    if model is None or model.model_type_id != concept_threshold.ID:
        return None
    override = node.output_info_override if node.HasField("output_info_override") else None
    info = plans.overridden(plans.output_info(model.wire), override)
    said = MessageToDict(info.params).get("concept_threshold_type")
    return {
        "concepts": [{"id": c.id, "name": c.name or c.id, "value": show_single(c.value)} for c in info.data.concepts],
        # As its name, or as the enum's number.
        "compare": said if isinstance(said, str) else concept_threshold.COMPARATORS[int(said or 0)][0],
    }


# --- the scores -----------------------------------------------------------------------------------


def histogram(call: Call, where: UserAppIDSet, given: Mapping[str, Any]) -> dict[str, Any]:
    """How a concept's scores spread, and where the thresholds of the default workflow cut them.

    Args:
        given: ``concept`` (its id) and ``bins`` (1 to 200, else 40).

    Returns:
        ``concept``; ``bins``, each with from, to, success, pending and negative; ``thresholds`` of this concept, each
        with node_id, compare and value; ``n``: the labels counted; ``sampled``: whether older ones were left out.

    Raises:
        InvalidRequest: a parameter is unknown or not legal.
        DoesNotExist: the app has no such concept; or as `Call.app`.
    """
    asked.only(given, "concept", "bins")
    concept_id = asked.text(given, "concept", longest=LONGEST_ID)
    if not concept_id:
        raise InvalidRequest("concept is empty: say the id of the concept whose scores are meant")
    bins = asked.number(given, "bins", BINS, 1, MAX_BINS)
    with call.store.read() as conn:
        app = call.app(conn, where)
        by_index(conn)
        key = concepts.keys(conn, app.pk, [concept_id]).get(concept_id)
        if key is None:
            raise DoesNotExist(f"app {app.id!r} has no concept {concept_id!r}")
        counted, older = score_samples.binned(conn, key, bins=bins, newest=NEWEST)
        workflow = _workflow(conn, app)
    made = [{"from": k / bins, "to": (k + 1) / bins, "success": 0, "pending": 0, "negative": 0} for k in range(bins)]
    for one in counted:
        made[one.number][one.kind] += one.n
    return {
        "concept": concept_id,
        "bins": made,
        "thresholds": [
            {"node_id": node["id"], "compare": node["thresholds"]["compare"], "value": c["value"]}
            for node in (workflow["nodes"] if workflow else [])
            if node["thresholds"]
            for c in node["thresholds"]["concepts"]
            if c["id"] == concept_id
        ],
        "sampled": older,
        "n": sum(one.n for one in counted),
    }

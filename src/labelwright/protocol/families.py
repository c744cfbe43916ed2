"""The RPCs in families, for whoever lists them: by the first resource that an RPC's path names."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from labelwright.protocol.rest.bindings import Binding, bindings

OTHERS = "others"
"""Where what has a path of its own stands."""

_LIKE = {
    "annotation_filters": "annotations",
    "annotation_tracks": "annotations",
    "artifact_versions": "artifacts",
    "audit_log": OTHERS,
    "cloud_providers": "compute",
    "collaborations": "collaborators",
    "compute_clusters": "compute",
    "compute_plane_metrics": "compute",
    "deployments": "compute",
    "duplications": "apps",
    "ids": "apps",
    "label_orders": "tasks",
    "log_entries": "compute",
    "metrics": "compute",
    "myscopes": "keys",
    "myscopesroot": "keys",
    "open_source_licenses": "models",
    "partial": "apps",
    "pipeline_step_versions": "pipelines",
    "pipeline_steps": "pipelines",
    "pipeline_templates": "pipelines",
    "resource_counts": "apps",
    "runner_replica_task_metrics": "compute",
    "runners": "compute",
    "scopes": "keys",
    "status_codes": OTHERS,
    "task": "tasks",
    "validate_password": "users",
    "workflow-version-evaluation-templates": "evaluations",
}
"""Words of paths that belong to a family of another name. A word that is not here is a family of its own."""


@cache
def main_bindings() -> dict[str, Binding]:
    """Every RPC's name to the verb and path that it declares first."""
    first: dict[str, Binding] = {}
    for binding in bindings():
        first.setdefault(binding.method, binding)
    return first


def family(method: str) -> str:
    """The family of an RPC: ``inputs``. What is said of an input, or of a task's, is among the annotations."""
    binding = main_bindings().get(method)
    if binding is None:
        return OTHERS
    words = [s for s in binding.segments[1:] if not s.startswith("{")]
    if "annotations" in words or "track_annotations" in words:
        return "annotations"
    first = next((w for w in words if w not in ("users", "apps")), words[-1])
    return _LIKE.get(first, first)


def in_order(families: Iterable[str]) -> list[str]:
    """Families by name, `OTHERS` last."""
    return sorted(families, key=lambda name: (name == OTHERS, name))

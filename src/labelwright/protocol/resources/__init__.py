"""The handlers, one module a resource."""


def populate() -> None:
    """Import every module of handlers, so that they are registered. One explicit list: no import cycles."""
    from labelwright.protocol.resources import (  # noqa: F401
        annotations,
        apps,
        concepts,
        inputs,
        knowledge_graphs,
        model_types,
        model_versions,
        models,
        predictions,
        relations,
        status_codes,
        workflow_versions,
        workflows,
    )

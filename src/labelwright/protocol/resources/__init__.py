"""The handlers, one module a resource."""


def populate() -> None:
    """Import every module of handlers, so that they are registered. One explicit list: no import cycles."""
    from labelwright.protocol.resources import (  # noqa: F401
        annotation_statuses,
        annotation_streams,
        annotation_workers,
        annotations,
        app_ids,
        apps,
        collaborators,
        concept_counts,
        concept_languages,
        concept_searches,
        concepts,
        input_jobs,
        inputs,
        keys,
        knowledge_graphs,
        licenses,
        model_concepts,
        model_listing,
        model_references,
        model_tags,
        model_types,
        model_versions,
        models,
        predictions,
        relations,
        resource_counts,
        scopes,
        status_codes,
        users,
        workflow_listing,
        workflow_versions,
        workflows,
    )

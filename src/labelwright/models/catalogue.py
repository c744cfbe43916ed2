"""The public app ``clarifai/main`` as this server carries it: concepts, models, base workflows.

Ids are the ones that the API's documents name, so that what was written for them runs; what stands behind
them is ours, and the descriptions say so.
"""

from __future__ import annotations

from dataclasses import dataclass

PUBLIC_USER = "clarifai"
PUBLIC_APP = "main"


@dataclass(frozen=True, slots=True)
class PublicConcept:
    """A concept of the public app."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class PublicModel:
    """A model of the public app, with its one version."""

    id: str
    name: str
    version_id: str
    model_type_id: str
    description: str
    alias: str | None = None
    """A second id under which the model is found."""
    concepts: tuple[PublicConcept, ...] = ()
    """What it can say."""


@dataclass(frozen=True, slots=True)
class PublicNode:
    """A node of a base workflow."""

    id: str
    model_id: str
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PublicWorkflow:
    """A base workflow."""

    id: str
    description: str
    nodes: tuple[PublicNode, ...]


PEOPLE = PublicConcept("ai_l8TKp2h5", "people")
MAN = PublicConcept("ai_dxSG2s86", "man")
ADULT = PublicConcept("ai_VPmHr5bm", "adult")
FACE = PublicConcept("ai_face", "face")

CONCEPTS = (PEOPLE, MAN, ADULT, FACE)

RECOGNITION = PublicModel(
    id="aaa03c23b3724a16a56b629203edc62c",
    name="general-image-recognition",
    alias="general-image-recognition",
    version_id="aa7f35c01e0642fda5cf400f543e7c40",
    model_type_id="visual-classifier",
    description=(
        "Built in, starts without a download, and sees one thing: people, by their faces looking towards the "
        "camera (OpenCV's frontal face cascade; the score rises with the detector's weight and is not "
        "calibrated). It does not see people from behind or in profile, and no other concept: what it can't "
        "see is absent from its output, not zero."
    ),
    concepts=(PEOPLE,),
)
EMBEDDING = PublicModel(
    id="bbb5f41425b8468d9b7a554ff10f8581",
    name="general-image-embedding",
    alias="general-image-embedding",
    version_id="bb186755eda04f9cbb6fe32e816be104",
    model_type_id="visual-embedder",
    description=(
        "Built in, starts without a download: a classical image descriptor (gradient orientations, layout, "
        "colour), with no learned weights. Good for simple shapes and near-duplicates; it does not understand "
        "scenes as a trained network does."
    ),
)
CLUSTERING = PublicModel(
    id="cccbe437d6e54e2bb911c6aa292fb072",
    # Misspelt in the API's own catalogue; clients ask for it so.
    name="general-clusterering",
    alias="general-clusterering",
    version_id="cc2074cff6dc4c02b6f4e1b8606dcb54",
    model_type_id="clusterer",
    description=(
        "Built in: gives each image a coarse and a fine cluster id by a fixed code over the built-in image "
        "descriptor. Look-alikes mostly share an id; the clusters were not learned from data."
    ),
)
FACES = PublicModel(
    id="face-detection",
    name="face-detection",
    version_id="fe995da8cb73490f8556416ecf25cea3",
    model_type_id="visual-detector",
    description=(
        "Built in: boxes around faces that look towards the camera (OpenCV's frontal face cascade). The score "
        "rises with the detector's weight and is not calibrated."
    ),
    concepts=(FACE,),
)

MODELS = (RECOGNITION, EMBEDDING, CLUSTERING, FACES)

WORKFLOWS = (
    PublicWorkflow("Empty", "Runs no model: inputs are fetched, checked and stored.", ()),
    PublicWorkflow(
        "General",
        "The three general image models: concepts, embedding, cluster.",
        (
            PublicNode("general-v1.5-concept", RECOGNITION.id),
            PublicNode("general-v1.5-embed", EMBEDDING.id),
            PublicNode("general-v1.5-cluster", CLUSTERING.id, ("general-v1.5-embed",)),
        ),
    ),
    PublicWorkflow(
        "Universal",
        "The embedding and cluster of an image, as a base for search and training.",
        (
            PublicNode("universal-embed", EMBEDDING.id),
            PublicNode("universal-cluster", CLUSTERING.id, ("universal-embed",)),
        ),
    ),
)
DEFAULT_WORKFLOW = "Universal"
"""What a new app starts with when its creator names none."""

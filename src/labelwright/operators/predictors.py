"""The model types that come with weights or code of their own: declared here, loaded by the models' room."""

from __future__ import annotations

from labelwright.operators.registry import ModelType, register

register(
    ModelType(
        id="visual-classifier",
        title="Visual classifier",
        description="Says which concepts an image shows, each with a score.",
        # One entry alone: the SDKs ask for the kind of input where a type names several.
        inputs=("image",),
        outputs=("concepts",),
        predicts=True,
    )
)
register(
    ModelType(
        id="visual-detector",
        title="Visual detector",
        description="Says where in an image it sees which concepts: regions with boxes and scores.",
        inputs=("image",),
        outputs=("regions[...].region_info.bounding_box", "regions[...].data.concepts"),
        predicts=True,
    )
)
register(
    ModelType(
        id="visual-embedder",
        title="Visual embedder",
        description="Turns an image into a vector, near for images that look alike.",
        inputs=("image",),
        outputs=("embeddings",),
        predicts=True,
    )
)
register(
    ModelType(
        id="clusterer",
        title="Clusterer",
        description="Gives an image, or its embedding, the id of the cluster that it falls into.",
        inputs=("image", "embeddings"),
        outputs=("clusters",),
        predicts=True,
        trainable=True,
    )
)
register(
    ModelType(
        id="embedding-classifier",
        title="Embedding classifier",
        description="Says which of the concepts that it was trained on an image shows, by its embedding.",
        # Not the embedding too: the SDKs ask for the kind of input where a type names several. Behind an embedder it
        # takes what that made.
        inputs=("image",),
        outputs=("concepts",),
        predicts=True,
        trainable=True,
    )
)
register(
    ModelType(
        id="knn-concept",
        title="Nearest neighbours",
        description="Says which concepts an image shows by those of the labelled images most like it.",
        inputs=("image",),
        outputs=("concepts",),
        predicts=True,
        trainable=True,
    )
)

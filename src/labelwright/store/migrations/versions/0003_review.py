"""The queue of what waits for a person, what people changed, and what flowed through the nodes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WAITING = "24151, 24157"
"""The statuses of annotations that wait for a person: pending, and awaiting review."""


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the three tables, and put what waits already into the queue."""
    op.create_table(
        "review_items",
        sa.Column("annotation", _big(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("app", _big(), nullable=False),
        sa.Column("input", _big(), nullable=False),
        sa.Column("concept", _big(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("shuffle", sa.Integer(), nullable=False),
        sa.Column("model_version_id", sa.Text(), server_default="", nullable=False),
        sa.Column("run", _big(), nullable=True),
        sa.Column("held_by", sa.Text(), nullable=True),
        sa.Column("held_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["annotation", "position"],
            ["annotation_concepts.annotation", "annotation_concepts.position"],
            name=op.f("fk_review_items_annotation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("annotation", "position", name=op.f("pk_review_items")),
        sqlite_with_rowid=False,
    )
    # Filled before it is indexed: that is quicker, and a store may have a million of them.
    shuffle = "abs(random() % 2147483647)" if op.get_bind().dialect.name == "sqlite" else "floor(random() * 2147483647)"
    op.execute(
        f"""
        INSERT INTO review_items (annotation, position, app, input, concept, status_code, score, shuffle,
                                  model_version_id, run)
        SELECT a.pk, c.position, a.app, a.input, c.concept, a.status_code, coalesce(c.score, c.value), {shuffle},
               a.model_version_id, a.run
        FROM annotations a JOIN annotation_concepts c ON c.annotation = a.pk
        WHERE a.status_code IN ({WAITING}) AND NOT a.input_level
        """  # noqa: S608 (constants)
    )
    op.create_index("ix_review_items_score", "review_items", ["app", "status_code", "score"])
    op.create_index("ix_review_items_concept", "review_items", ["app", "status_code", "concept", "score"])
    op.create_index("ix_review_items_shuffle", "review_items", ["app", "status_code", "shuffle"])
    op.create_index("ix_review_items_input", "review_items", ["input"])
    held = sa.text("held_by IS NOT NULL")
    op.create_index("ix_review_items_held", "review_items", ["held_by"], sqlite_where=held, postgresql_where=held)
    op.create_table(
        "history",
        sa.Column("pk", _big(), autoincrement=True, nullable=False),
        sa.Column("app", _big(), nullable=False),
        sa.Column("input", _big(), nullable=False),
        sa.Column("annotation_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("concept_id", sa.Text(), server_default="", nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("undone_at", sa.BigInteger(), nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["app"], ["apps.pk"], name=op.f("fk_history_app"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["input"], ["inputs.pk"], name=op.f("fk_history_input"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_history")),
        sa.UniqueConstraint("app", "action", "item", name=op.f("uq_history_app_action_item")),
    )
    op.create_index("ix_history_app_pk", "history", ["app", "pk"])
    op.create_index("ix_history_annotation", "history", ["app", "annotation_id"])
    op.create_index("ix_history_user", "history", ["app", "user_id", "created_at", "undone_at", "kind"])
    op.create_index(op.f("ix_history_input"), "history", ["input"])
    op.create_table(
        "node_flows",
        sa.Column("app", _big(), nullable=False),
        sa.Column("workflow_version_id", sa.Text(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
            for name in ("reached", "passed", "concepts_in", "concepts_out", "wrote")
        ),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["app"], ["apps.pk"], name=op.f("fk_node_flows_app"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("app", "workflow_version_id", "node_id", name=op.f("pk_node_flows")),
    )
    op.drop_index("ix_annotation_concepts_concept", "annotation_concepts")
    op.create_index("ix_annotation_concepts_concept", "annotation_concepts", ["concept", "annotation"])

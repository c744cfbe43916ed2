"""What learning needs: trainings, evaluations, random draws, tuned thresholds, rounds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the seven tables."""
    op.create_table(
        "draws",
        sa.Column("pk", _big(), autoincrement=True, nullable=False),
        sa.Column("app", _big(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("model_version_id", sa.Text(), server_default="", nullable=False),
        sa.Column("workflow_version_id", sa.Text(), server_default="", nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["app"], ["apps.pk"], name=op.f("fk_draws_app"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_draws")),
        sa.UniqueConstraint("app", "id", name=op.f("uq_draws_app_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "loops",
        sa.Column("pk", _big(), autoincrement=True, nullable=False),
        sa.Column("app", _big(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("cursor", sa.JSON(), nullable=False),
        sa.Column("rounds", sa.JSON(), nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["app"], ["apps.pk"], name=op.f("fk_loops_app"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_loops")),
        sa.UniqueConstraint("app", "id", name=op.f("uq_loops_app_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tunings",
        sa.Column("pk", _big(), autoincrement=True, nullable=False),
        sa.Column("app", _big(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("model_version_id", sa.Text(), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("made", sa.JSON(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("undone_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["app"], ["apps.pk"], name=op.f("fk_tunings_app"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_tunings")),
        sa.UniqueConstraint("app", "id", name=op.f("uq_tunings_app_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tunings_model", "tunings", ["app", "model_version_id"], unique=False)
    op.create_table(
        "drawn_items",
        sa.Column("pk", _big(), autoincrement=True, nullable=False),
        sa.Column("draw", _big(), nullable=False),
        sa.Column("app", _big(), nullable=False),
        sa.Column("input", _big(), nullable=False),
        sa.Column("annotation_id", sa.Text(), server_default="", nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("concept_id", sa.Text(), server_default="", nullable=False),
        sa.Column("model_version_id", sa.Text(), server_default="", nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("chance", sa.Double(), nullable=False),
        sa.Column("answer", sa.SmallInteger(), nullable=True),
        sa.Column("said", sa.JSON(), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("held_by", sa.Text(), nullable=True),
        sa.Column("held_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["draw"], ["draws.pk"], name=op.f("fk_drawn_items_draw"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["input"], ["inputs.pk"], name=op.f("fk_drawn_items_input"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_drawn_items")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_drawn_items_app_answer", "drawn_items", ["app", "answer", "concept_id", "model_version_id"], unique=False
    )
    op.create_index(op.f("ix_drawn_items_input"), "drawn_items", ["input"], unique=False)
    op.create_index("ix_drawn_items_waiting", "drawn_items", ["draw", "answer"], unique=False)
    op.create_table(
        "evaluations",
        sa.Column("pk", _big(), autoincrement=True, nullable=False),
        sa.Column("app", _big(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("model_version", _big(), nullable=False),
        sa.Column("dataset_id", sa.Text(), server_default="", nullable=False),
        sa.Column("dataset_version_id", sa.Text(), server_default="", nullable=False),
        sa.Column("job", sa.Text(), server_default="", nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["app"], ["apps.pk"], name=op.f("fk_evaluations_app"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["model_version"], ["model_versions.pk"], name=op.f("fk_evaluations_model_version"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_evaluations")),
        sa.UniqueConstraint("app", "id", name=op.f("uq_evaluations_app_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_evaluations_model_version"), "evaluations", ["model_version"], unique=False)
    op.create_table(
        "training_inputs",
        sa.Column("model_version", _big(), nullable=False),
        sa.Column("input", _big(), nullable=False),
        sa.ForeignKeyConstraint(["input"], ["inputs.pk"], name=op.f("fk_training_inputs_input"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["model_version"], ["model_versions.pk"], name=op.f("fk_training_inputs_model_version"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_version", "input", name=op.f("pk_training_inputs")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_training_inputs_input"), "training_inputs", ["input"], unique=False)
    op.create_table(
        "trainings",
        sa.Column("model_version", _big(), nullable=False),
        sa.Column("app", _big(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("artifact", sa.Text(), server_default="", nullable=False),
        sa.Column("embedder", sa.Text(), server_default="", nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("log", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["app"], ["apps.pk"], name=op.f("fk_trainings_app"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["model_version"], ["model_versions.pk"], name=op.f("fk_trainings_model_version"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_version", name=op.f("pk_trainings")),
    )
    op.create_index(op.f("ix_trainings_app"), "trainings", ["app"], unique=False)


def downgrade() -> None:
    """Take them away again."""
    op.drop_index(op.f("ix_trainings_app"), table_name="trainings")
    op.drop_table("trainings")
    op.drop_index(op.f("ix_training_inputs_input"), table_name="training_inputs")
    op.drop_table("training_inputs")
    op.drop_index(op.f("ix_evaluations_model_version"), table_name="evaluations")
    op.drop_table("evaluations")
    op.drop_index("ix_drawn_items_waiting", table_name="drawn_items")
    op.drop_index(op.f("ix_drawn_items_input"), table_name="drawn_items")
    op.drop_index("ix_drawn_items_app_answer", table_name="drawn_items")
    op.drop_table("drawn_items")
    op.drop_index("ix_tunings_model", table_name="tunings")
    op.drop_table("tunings")
    op.drop_table("loops")
    op.drop_table("draws")

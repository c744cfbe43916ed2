"""App-bound keys, collaborators, shared secrets, concept languages, jobs that add inputs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add what walls between people need."""
    op.add_column("users", sa.Column("wire", sa.LargeBinary(), server_default=sa.text("('')"), nullable=False))
    with op.batch_alter_table("keys") as keys:
        keys.add_column(sa.Column("endpoints", sa.JSON(), nullable=True))
        keys.add_column(sa.Column("app", _big(), nullable=True))
        keys.create_foreign_key(op.f("fk_keys_app"), "apps", ["app"], ["pk"], ondelete="CASCADE")
        keys.create_index(op.f("ix_keys_app"), ["app"])
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secrets")),
    )
    op.create_table(
        "collaborators",
        sa.Column("pk", _big(), autoincrement=True, nullable=False),
        sa.Column("app", _big(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("endpoints", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["app"], ["apps.pk"], name=op.f("fk_collaborators_app"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_collaborators_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_collaborators")),
        sa.UniqueConstraint("app", "user_id", name=op.f("uq_collaborators_app_user_id")),
        sa.UniqueConstraint("id", name=op.f("uq_collaborators_id")),
    )
    op.create_index(op.f("ix_collaborators_user_id"), "collaborators", ["user_id"])
    op.create_table(
        "concept_languages",
        sa.Column("concept", _big(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["concept"], ["concepts.pk"], name=op.f("fk_concept_languages_concept"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("concept", "language", name=op.f("pk_concept_languages")),
    )
    op.create_table(
        "inputs_add_jobs",
        sa.Column("pk", _big(), autoincrement=True, nullable=False),
        sa.Column("app", _big(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("wire", sa.LargeBinary(), server_default=sa.text("('')"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["app"], ["apps.pk"], name=op.f("fk_inputs_add_jobs_app"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_inputs_add_jobs")),
        sa.UniqueConstraint("app", "id", name=op.f("uq_inputs_add_jobs_app_id")),
    )
    # Not by copying the table: it may have millions of rows.
    op.add_column("inputs", sa.Column("add_job", _big(), nullable=True))
    op.create_index(
        "ix_inputs_add_job",
        "inputs",
        ["add_job", "status_code"],
        sqlite_where=sa.text("add_job IS NOT NULL"),
        postgresql_where=sa.text("add_job IS NOT NULL"),
    )


def downgrade() -> None:
    """Take it away again."""
    op.drop_index("ix_inputs_add_job", "inputs")
    op.drop_column("inputs", "add_job")
    op.drop_table("inputs_add_jobs")
    op.drop_table("concept_languages")
    op.drop_table("collaborators")
    op.drop_table("secrets")
    with op.batch_alter_table("keys") as keys:
        keys.drop_index(op.f("ix_keys_app"))
        keys.drop_constraint(op.f("fk_keys_app"), type_="foreignkey")
        keys.drop_column("app")
        keys.drop_column("endpoints")
    op.drop_column("users", "wire")

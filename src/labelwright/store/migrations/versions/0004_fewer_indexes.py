"""The queue without its random numbers: each index that it loses makes what is written cheaper."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the column of random numbers, and two indexes."""
    op.drop_index("ix_review_items_shuffle", "review_items")
    op.drop_index("ix_review_items_input", "review_items")
    op.drop_column("review_items", "shuffle")


def downgrade() -> None:
    """Draw the random numbers again."""
    op.add_column("review_items", sa.Column("shuffle", sa.Integer(), server_default="0", nullable=False))
    shuffle = "abs(random() % 2147483647)" if op.get_bind().dialect.name == "sqlite" else "floor(random() * 2147483647)"
    op.execute(f"UPDATE review_items SET shuffle = {shuffle}")  # noqa: S608 (constants)
    op.create_index("ix_review_items_shuffle", "review_items", ["app", "status_code", "shuffle"])
    op.create_index("ix_review_items_input", "review_items", ["input"])

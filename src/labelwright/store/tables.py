"""The tables.

Keys: `pk` is ours and never leaves the store's callers; `id` is the API's. Times are whole microseconds
since 1970, UTC. `wire` holds bytes of a protobuf message that the store doesn't read: what a resource
carries besides its columns.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts rows in 64 bits only where the column is called exactly INTEGER.
Big = BigInteger().with_variant(Integer, "sqlite")

PENDING, DONE, FAILED, IN_PROGRESS = 30001, 30000, 30002, 30003
"""The statuses of an input: the API's INPUT_DOWNLOAD_* codes, and our queue."""

PERSON, MODEL, IMPORT, CONFIRMED = 1, 2, 3, 4
"""Who an annotation comes from: a person, a model, an import, a model confirmed by a person."""


def _pk() -> Column[Any]:
    return Column("pk", Big, primary_key=True, autoincrement=True)


def _app(index: bool = False) -> Column[Any]:
    return Column("app", Big, ForeignKey("apps.pk", ondelete="CASCADE"), nullable=False, index=index)


def _time(name: str, nullable: bool = False) -> Column[Any]:
    return Column(name, BigInteger, nullable=nullable)


users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("wire", LargeBinary, nullable=False, server_default=text("''")),
    _time("created_at"),
)

secrets = Table(
    "secrets",
    metadata,
    # What all servers on one store must share, such as the key that signs the addresses of media.
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    _pk(),
    Column("id", Text, nullable=False, unique=True),
    # SHA-256 of the token: 128 random bits need no slow hash.
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("description", Text, nullable=False, server_default=""),
    Column("type", Text, nullable=False),
    # Names of the API's scopes, such as Inputs_Get; "All" for every one.
    Column("scopes", JSON, nullable=False),
    # Single RPCs that it may call besides, by their gRPC paths.
    Column("endpoints", JSON(none_as_null=True), nullable=True),
    # The one app that it works in; NULL for a personal access token.
    Column("app", Big, ForeignKey("apps.pk", ondelete="CASCADE"), nullable=True, index=True),
    _time("created_at"),
    _time("expires_at", nullable=True),
)

collaborators = Table(
    "collaborators",
    metadata,
    _pk(),
    _app(),
    Column("id", Text, nullable=False, unique=True),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    # As of a key.
    Column("scopes", JSON, nullable=False),
    Column("endpoints", JSON(none_as_null=True), nullable=True),
    _time("created_at"),
    _time("modified_at"),
    UniqueConstraint("app", "user_id"),
)

apps = Table(
    "apps",
    metadata,
    _pk(),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("id", Text, nullable=False),
    Column("wire", LargeBinary, nullable=False),
    # No foreign key: apps and workflows would each need the other first.
    Column("default_workflow", Big, nullable=True),
    # Counts changes of the relations, so that a worker knows when its snapshot is old.
    Column("revision", BigInteger, nullable=False, server_default="0"),
    _time("created_at"),
    _time("modified_at"),
    UniqueConstraint("user_id", "id"),
    sqlite_autoincrement=True,
)

concepts = Table(
    "concepts",
    metadata,
    _pk(),
    _app(),
    Column("id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("wire", LargeBinary, nullable=False, server_default=text("''")),
    _time("created_at"),
    _time("modified_at"),
    UniqueConstraint("app", "id"),
)

concept_languages = Table(
    "concept_languages",
    metadata,
    Column("concept", Big, ForeignKey("concepts.pk", ondelete="CASCADE"), primary_key=True),
    # A tag such as en or pt-BR.
    Column("language", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("definition", Text, nullable=False, server_default=""),
    _time("created_at"),
    _time("modified_at"),
)

inputs_add_jobs = Table(
    "inputs_add_jobs",
    metadata,
    _pk(),
    _app(),
    Column("id", Text, nullable=False),
    Column("wire", LargeBinary, nullable=False, server_default=text("''")),
    _time("created_at"),
    _time("modified_at"),
    UniqueConstraint("app", "id"),
)

knowledge_graphs = Table(
    "knowledge_graphs",
    metadata,
    _pk(),
    _app(),
    Column("id", Text, nullable=False),
    Column("wire", LargeBinary, nullable=False),
    _time("created_at"),
    UniqueConstraint("app", "id"),
)

relations = Table(
    "relations",
    metadata,
    _pk(),
    _app(),
    Column("id", Text, nullable=False),
    Column("subject", Big, ForeignKey("concepts.pk", ondelete="CASCADE"), nullable=False, index=True),
    Column("predicate", Text, nullable=False),
    Column("object", Big, ForeignKey("concepts.pk", ondelete="CASCADE"), nullable=False, index=True),
    Column("knowledge_graph_id", Text, nullable=False, server_default=""),
    _time("created_at"),
    UniqueConstraint("app", "id"),
    UniqueConstraint("app", "subject", "predicate", "object", "knowledge_graph_id"),
)

models = Table(
    "models",
    metadata,
    _pk(),
    _app(),
    Column("id", Text, nullable=False),
    # A second id under which the model is found: the public models have an old and a new one.
    Column("alias", Text, nullable=True),
    Column("name", Text, nullable=False),
    Column("model_type_id", Text, nullable=False),
    Column("wire", LargeBinary, nullable=False),
    _time("created_at"),
    _time("modified_at"),
    UniqueConstraint("app", "id"),
    UniqueConstraint("app", "alias"),
)

model_versions = Table(
    "model_versions",
    metadata,
    _pk(),
    Column("model", Big, ForeignKey("models.pk", ondelete="CASCADE"), nullable=False),
    Column("id", Text, nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("wire", LargeBinary, nullable=False),
    _time("created_at"),
    _time("modified_at"),
    UniqueConstraint("model", "id"),
    sqlite_autoincrement=True,
)

workflows = Table(
    "workflows",
    metadata,
    _pk(),
    _app(),
    Column("id", Text, nullable=False),
    Column("wire", LargeBinary, nullable=False),
    _time("created_at"),
    _time("modified_at"),
    UniqueConstraint("app", "id"),
    sqlite_autoincrement=True,
)

workflow_versions = Table(
    "workflow_versions",
    metadata,
    _pk(),
    Column("workflow", Big, ForeignKey("workflows.pk", ondelete="CASCADE"), nullable=False),
    Column("id", Text, nullable=False),
    Column("wire", LargeBinary, nullable=False),
    _time("created_at"),
    _time("modified_at"),
    UniqueConstraint("workflow", "id"),
    sqlite_autoincrement=True,
)

workflow_nodes = Table(
    "workflow_nodes",
    metadata,
    Column(
        "workflow_version",
        Big,
        ForeignKey("workflow_versions.pk", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("position", Integer, primary_key=True),
    Column("node_id", Text, nullable=False),
    # No foreign key: a version may be deleted while workflows still name it; they are then deprecated.
    Column("model_version", Big, nullable=False, index=True),
)

runs = Table(
    "runs",
    metadata,
    _pk(),
    _app(index=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    # While a run of added inputs is open its slot is taken; NULL once it is closed or undone.
    Column("slot", Text, nullable=True),
    Column("workflow_version_id", Text, nullable=False, server_default=""),
    Column("inputs", BigInteger, nullable=False, server_default="0"),
    Column("wrote", BigInteger, nullable=False, server_default="0"),
    Column("replaced", BigInteger, nullable=False, server_default="0"),
    _time("created_at"),
    _time("modified_at"),
    _time("undone_at", nullable=True),
    UniqueConstraint("app", "slot"),
)

leases = Table(
    "leases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    # Differs between two processes that had the same pid one after the other.
    Column("incarnation", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

inputs = Table(
    "inputs",
    metadata,
    _pk(),
    _app(),
    Column("id", Text, nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("status_details", Text, nullable=False, server_default=""),
    Column("wire", LargeBinary, nullable=False),
    # Where the bytes of the media lie in the media store; NULL while there are none.
    Column("media", Text, nullable=True),
    # SHA-256 of the URL, cut to 16 bytes, where a second input with that URL is to be refused.
    Column("url_hash", LargeBinary, nullable=True),
    # No foreign key: a lease ends by its row's deletion, and that must not touch a million inputs.
    Column("lease", Text, nullable=True),
    # 1: run it alone, since a worker died while it was in a batch.
    Column("alone", SmallInteger, nullable=False, server_default="0"),
    # The job in whose name it was added (a key of inputs_add_jobs); no foreign key: jobs go with their app only.
    Column("add_job", Big, nullable=True),
    # How many workers died while it was alone in flight.
    Column("strikes", SmallInteger, nullable=False, server_default="0"),
    # The version of the workflow that last labelled it (its API id).
    Column("workflow_version_id", Text, nullable=True),
    _time("created_at"),
    _time("modified_at"),
    UniqueConstraint("app", "id"),
    Index("ix_inputs_app_pk", "app", "pk"),
    Index("ix_inputs_app_status_pk", "app", "status_code", "pk"),
    Index(
        "ix_inputs_queue",
        "app",
        "alone",
        "pk",
        sqlite_where=text(f"status_code = {PENDING}"),
        postgresql_where=text(f"status_code = {PENDING}"),
    ),
    Index(
        "ix_inputs_lease",
        "lease",
        sqlite_where=text("lease IS NOT NULL"),
        postgresql_where=text("lease IS NOT NULL"),
    ),
    Index(
        "ix_inputs_add_job",
        "add_job",
        "status_code",
        sqlite_where=text("add_job IS NOT NULL"),
        postgresql_where=text("add_job IS NOT NULL"),
    ),
    Index(
        "ix_inputs_url",
        "app",
        "url_hash",
        sqlite_where=text("url_hash IS NOT NULL"),
        postgresql_where=text("url_hash IS NOT NULL"),
    ),
    # A deleted input's key is never given again: its media could otherwise be taken for another's.
    sqlite_autoincrement=True,
)

annotations = Table(
    "annotations",
    metadata,
    _pk(),
    _app(),
    Column("input", Big, ForeignKey("inputs.pk", ondelete="CASCADE"), nullable=False),
    Column("id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("origin", SmallInteger, nullable=False),
    Column("input_level", Boolean, nullable=False, server_default=text("false")),
    # An input-level annotation that holds nothing is not listed.
    Column("listed", Boolean, nullable=False, server_default=text("true")),
    Column("trusted", Boolean, nullable=False, server_default=text("true")),
    # A person changed it since: no automatic run may replace or undo it.
    Column("touched", Boolean, nullable=False, server_default=text("false")),
    Column("model_version_id", Text, nullable=False, server_default=""),
    Column("workflow_version_id", Text, nullable=False, server_default=""),
    Column("run", Big, ForeignKey("runs.pk", ondelete="SET NULL"), nullable=True),
    Column("task_id", Text, nullable=False, server_default=""),
    Column("annotation_info", JSON(none_as_null=True), nullable=True),
    Column("wire", LargeBinary, nullable=False),
    _time("created_at"),
    _time("modified_at"),
    UniqueConstraint("app", "id"),
    Index("ix_annotations_input", "input"),
    Index("ix_annotations_run", "run"),
    # An input has one at most, and is listed with what it holds.
    Index(
        "ix_annotations_input_level",
        "input",
        unique=True,
        sqlite_where=text("input_level = 1"),
        postgresql_where=text("input_level"),
    ),
    # Holds all that a listing filters by, so that skipping to page 500 reads the index alone.
    Index(
        "ix_annotations_list",
        "app",
        "pk",
        "listed",
        "trusted",
        "status_code",
        "user_id",
        "model_version_id",
        "workflow_version_id",
        "task_id",
    ),
    sqlite_autoincrement=True,
)

annotation_concepts = Table(
    "annotation_concepts",
    metadata,
    Column("annotation", Big, ForeignKey("annotations.pk", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    # Number of the region or frame in the data, in order; -1: the whole input.
    Column("slot", Integer, nullable=False, server_default="-1"),
    Column("concept", Big, ForeignKey("concepts.pk", ondelete="CASCADE"), nullable=False),
    Column("value", Double, nullable=False),
    # What the model said, kept when a person's verdict changes the value.
    Column("score", Double, nullable=True),
    # A concept's newest labels come first without sorting all that it has.
    Index("ix_annotation_concepts_concept", "concept", "annotation"),
    sqlite_with_rowid=False,
)

review_items = Table(
    "review_items",
    metadata,
    # One pending concept of an annotation, in one place of it: what a person's verdict is about. The rows are made
    # with the annotation's concepts and go with them, whatever deletes those.
    Column("annotation", Big, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("app", Big, nullable=False),
    Column("input", Big, nullable=False),
    Column("concept", Big, nullable=False),
    Column("status_code", Integer, nullable=False),
    # What the model said, or the value where no model spoke.
    Column("score", Double, nullable=False),
    Column("model_version_id", Text, nullable=False, server_default=""),
    Column("run", Big, nullable=True),
    # Who looks at it, and until when (microseconds) nobody else is given it.
    Column("held_by", Text, nullable=True),
    Column("held_until", BigInteger, nullable=True),
    ForeignKeyConstraint(
        ["annotation", "position"],
        ["annotation_concepts.annotation", "annotation_concepts.position"],
        name="fk_review_items_annotation",
        ondelete="CASCADE",
    ),
    Index("ix_review_items_score", "app", "status_code", "score"),
    Index("ix_review_items_concept", "app", "status_code", "concept", "score"),
    Index(
        "ix_review_items_held",
        "held_by",
        sqlite_where=text("held_by IS NOT NULL"),
        postgresql_where=text("held_by IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

history = Table(
    "history",
    metadata,
    # What people made of annotations, and what those were before.
    _pk(),
    _app(),
    Column("input", Big, ForeignKey("inputs.pk", ondelete="CASCADE"), nullable=False, index=True),
    Column("annotation_id", Text, nullable=False),
    # Changes that were made, and are undone, together; the client's word, so that one sent twice is made once.
    Column("action", Text, nullable=False),
    # What it is about within the action: an annotation's id, or "id.position" for one of its concepts.
    Column("item", Text, nullable=False),
    # accept, reject, relabel, flag; post, patch, delete
    Column("kind", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("concept_id", Text, nullable=False, server_default=""),
    # The annotation as `labels.freeze` has it; NULL for one that was not there.
    Column("before", JSON(none_as_null=True), nullable=True),
    # What came of it: what undoing needs to know.
    Column("result", JSON(none_as_null=True), nullable=True),
    _time("created_at"),
    _time("undone_at", nullable=True),
    Column("undone_by", Text, nullable=True),
    UniqueConstraint("app", "action", "item"),
    Index("ix_history_app_pk", "app", "pk"),
    Index("ix_history_annotation", "app", "annotation_id"),
    # With the last two, who decided how much is counted in the index alone.
    Index("ix_history_user", "app", "user_id", "created_at", "undone_at", "kind"),
)

node_flows = Table(
    "node_flows",
    metadata,
    # How much went through each node of a workflow's version, of inputs that were added or run again.
    Column("app", Big, ForeignKey("apps.pk", ondelete="CASCADE"), primary_key=True),
    Column("workflow_version_id", Text, primary_key=True),
    Column("node_id", Text, primary_key=True),
    # Inputs that reached it, and those of which it handed something on.
    Column("reached", BigInteger, nullable=False, server_default="0"),
    Column("passed", BigInteger, nullable=False, server_default="0"),
    # Concepts that came in and that went on, in all places of the inputs.
    Column("concepts_in", BigInteger, nullable=False, server_default="0"),
    Column("concepts_out", BigInteger, nullable=False, server_default="0"),
    # Annotations that were written of its drafts.
    Column("wrote", BigInteger, nullable=False, server_default="0"),
    _time("modified_at"),
)

rejections = Table(
    "rejections",
    metadata,
    _pk(),
    Column("input", Big, ForeignKey("inputs.pk", ondelete="CASCADE"), nullable=False, index=True),
    Column("concept", Big, ForeignKey("concepts.pk", ondelete="CASCADE"), nullable=False, index=True),
    # The place, as an annotation's Data without its concepts, and which slot of it (see annotation_concepts).
    Column("wire", LargeBinary, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("user_id", Text, nullable=False),
    _time("created_at"),
)

embeddings = Table(
    "embeddings",
    metadata,
    Column("input", Big, ForeignKey("inputs.pk", ondelete="CASCADE"), primary_key=True),
    Column("model_version_id", Text, primary_key=True),
    # float32, little-endian
    Column("vector", LargeBinary, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    _pk(),
    Column("run", Big, ForeignKey("runs.pk", ondelete="CASCADE"), nullable=False, index=True),
    Column("input", Big, ForeignKey("inputs.pk", ondelete="CASCADE"), nullable=False, index=True),
    # The annotation as it was before the run replaced it, with its concepts.
    Column("before", JSON, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    _pk(),
    _app(index=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("params", JSON, nullable=False),
    # Where to go on after a restart; whatever the kind of job needs.
    Column("cursor", JSON, nullable=False),
    Column("total", BigInteger, nullable=False, server_default="0"),
    Column("done", BigInteger, nullable=False, server_default="0"),
    Column("failed", BigInteger, nullable=False, server_default="0"),
    Column("message", Text, nullable=False, server_default=""),
    Column("lease", Text, nullable=True),
    Column("strikes", SmallInteger, nullable=False, server_default="0"),
    _time("created_at"),
    _time("modified_at"),
)

trainings = Table(
    "trainings",
    metadata,
    # How a version of a model that learns came about.
    Column("model_version", Big, ForeignKey("model_versions.pk", ondelete="CASCADE"), primary_key=True),
    _app(index=True),
    Column("job", Text, nullable=False),
    Column("params", JSON, nullable=False),
    # Where its arrays lie in the media store; "" until it is trained.
    Column("artifact", Text, nullable=False, server_default=""),
    # The version of the embedder whose vectors it takes.
    Column("embedder", Text, nullable=False, server_default=""),
    # What was tried, what was chosen, how many labels of which concept.
    Column("report", JSON, nullable=False),
    # [microseconds, text], oldest first
    Column("log", JSON, nullable=False),
    _time("created_at"),
    _time("modified_at"),
)

training_inputs = Table(
    "training_inputs",
    metadata,
    # What a version has seen: none of it is evidence about the version.
    Column("model_version", Big, ForeignKey("model_versions.pk", ondelete="CASCADE"), primary_key=True),
    Column("input", Big, ForeignKey("inputs.pk", ondelete="CASCADE"), primary_key=True, index=True),
    sqlite_with_rowid=False,
)

evaluations = Table(
    "evaluations",
    metadata,
    _pk(),
    _app(),
    Column("id", Text, nullable=False),
    Column("model_version", Big, ForeignKey("model_versions.pk", ondelete="CASCADE"), nullable=False, index=True),
    # "" where it was cross-validated on the labels that it was trained on.
    Column("dataset_id", Text, nullable=False, server_default=""),
    Column("dataset_version_id", Text, nullable=False, server_default=""),
    Column("job", Text, nullable=False, server_default=""),
    Column("status_code", Integer, nullable=False),
    Column("message", Text, nullable=False, server_default=""),
    Column("params", JSON, nullable=False),
    # The counts and curves, as plain values.
    Column("result", JSON(none_as_null=True), nullable=True),
    _time("created_at"),
    _time("modified_at"),
    UniqueConstraint("app", "id"),
    sqlite_autoincrement=True,
)

draws = Table(
    "draws",
    metadata,
    # Inputs or auto-labels that chance chose for a person to look at.
    _pk(),
    _app(),
    Column("id", Text, nullable=False),
    # verify: inputs still to be labelled, to tune thresholds with; audit: auto-labels, to watch them with
    Column("kind", Text, nullable=False),
    Column("model_version_id", Text, nullable=False, server_default=""),
    Column("workflow_version_id", Text, nullable=False, server_default=""),
    # How it was drawn: the rate or number, the seed, the size of what it was drawn from.
    Column("params", JSON, nullable=False),
    Column("user_id", Text, nullable=False),
    _time("created_at"),
    UniqueConstraint("app", "id"),
    sqlite_autoincrement=True,
)

drawn_items = Table(
    "drawn_items",
    metadata,
    _pk(),
    Column("draw", Big, ForeignKey("draws.pk", ondelete="CASCADE"), nullable=False),
    Column("app", Big, nullable=False),
    Column("input", Big, ForeignKey("inputs.pk", ondelete="CASCADE"), nullable=False, index=True),
    # Of an audit: the auto-label as it was when it was drawn.
    Column("annotation_id", Text, nullable=False, server_default=""),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("concept_id", Text, nullable=False, server_default=""),
    Column("model_version_id", Text, nullable=False, server_default=""),
    Column("score", Double, nullable=True),
    # How likely it was to be drawn, above 0 and at most 1.
    Column("chance", Double, nullable=False),
    # 1 right, 0 wrong, 2 can't be told; NULL until somebody has answered.
    Column("answer", SmallInteger, nullable=True),
    # What it is, where that was said.
    Column("said", JSON(none_as_null=True), nullable=True),
    Column("answered_by", Text, nullable=True),
    _time("answered_at", nullable=True),
    Column("held_by", Text, nullable=True),
    Column("held_until", BigInteger, nullable=True),
    Index("ix_drawn_items_waiting", "draw", "answer"),
    Index("ix_drawn_items_app_answer", "app", "answer", "concept_id", "model_version_id"),
    sqlite_autoincrement=True,
)

tunings = Table(
    "tunings",
    metadata,
    # Thresholds that were chosen from data; each look at the same model's data is counted.
    _pk(),
    _app(),
    Column("id", Text, nullable=False),
    Column("model_version_id", Text, nullable=False),
    Column("params", JSON, nullable=False),
    # Thresholds, bounds, forecasts.
    Column("result", JSON, nullable=False),
    # Versions of models and of the workflow that it made, and which were the newest before; NULL: nothing was made.
    Column("made", JSON(none_as_null=True), nullable=True),
    Column("user_id", Text, nullable=False),
    _time("created_at"),
    _time("undone_at", nullable=True),
    UniqueConstraint("app", "id"),
    Index("ix_tunings_model", "app", "model_version_id"),
    sqlite_autoincrement=True,
)

loops = Table(
    "loops",
    metadata,
    # Rounds of learning and labelling, and where each stands.
    _pk(),
    _app(),
    Column("id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("params", JSON, nullable=False),
    Column("cursor", JSON, nullable=False),
    # One entry a round: labels by people, auto-labels, thresholds, bounds.
    Column("rounds", JSON, nullable=False),
    Column("message", Text, nullable=False, server_default=""),
    _time("created_at"),
    _time("modified_at"),
    UniqueConstraint("app", "id"),
    sqlite_autoincrement=True,
)

"""Jobs of adding inputs: whoever adds inputs under a name may ask by it how far they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import InputsAddJob
from clarifai_grpc.grpc.api.status import status_code_pb2
from sqlalchemy import Connection, Row

from labelwright.errors import DoesNotExist, InputInvalidRequest
from labelwright.ids import free_id_problem
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.wire import offset_limit, parse, set_time, status
from labelwright.store import input_jobs
from labelwright.store import tables as t

QUEUED = status_code_pb2.JOB_QUEUED
RUNNING = status_code_pb2.JOB_RUNNING
COMPLETED = status_code_pb2.JOB_COMPLETED
CANCELLED = status_code_pb2.JOB_CANCELLED

CANCEL_AT_ONCE = 10_000
"""Inputs that a transaction of CancelInputsAddJob takes: 0.06 s of SQLite's only writer."""


def check_id(job_id: str) -> None:
    """Refuse what can't be a job's id; "" is none.

    Raises:
        InputInvalidRequest: it is too long or can't be printed.
    """
    if job_id and (problem := free_id_problem(job_id)):
        raise InputInvalidRequest(f"inputs_add_job_id: {problem}")


def note(conn: Connection, app: int, job_id: str, refused: int) -> int:
    """The key of a job that is about to get inputs, made where there is none of that id.

    The caller holds the app's lock.

    Args:
        refused: how many inputs of the call were refused: no row of theirs can be counted later.
    """
    row = input_jobs.get(conn, app, job_id)
    job = InputsAddJob() if row is None else parse(InputsAddJob, row.wire)
    job.progress.failed_count += refused
    # One that was cancelled begins anew.
    job.ClearField("status")
    if row is None:
        return input_jobs.add(conn, app, job_id, job.SerializeToString(deterministic=True))
    input_jobs.change(conn, row.pk, job.SerializeToString(deterministic=True))
    pk: int = row.pk
    return pk


def to_wire(row: Row[Any], counts: Mapping[int, int]) -> InputsAddJob:
    """A job as clients see it.

    Args:
        counts: status code to the number of its inputs.
    """
    job = parse(InputsAddJob, row.wire)
    job.id = row.id
    left = dict(counts)
    progress = job.progress
    progress.success_count = left.pop(t.DONE, 0)
    progress.pending_count = left.pop(t.PENDING, 0)
    progress.in_progress_count = left.pop(t.IN_PROGRESS, 0)
    progress.failed_count += sum(left.values())
    if job.status.code == 0:
        job.status.CopyFrom(status(_state(job)))
    set_time(job.created_at, row.created_at)
    set_time(job.modified_at, row.modified_at)
    return job


def _state(job: InputsAddJob) -> int:
    progress = job.progress
    if progress.in_progress_count or (progress.pending_count and progress.success_count):
        return RUNNING
    return QUEUED if progress.pending_count else COMPLETED


def _found(conn: Connection, app: Row[Any], job_id: str) -> Row[Any]:
    row = input_jobs.get(conn, app.pk, job_id)
    if row is None:
        raise DoesNotExist(
            f"app {app.id!r} has no job {job_id!r} of adding inputs; PostInputs with that inputs_add_job_id makes one"
        )
    return row


@serves("GetInputsAddJob")
def get_inputs_add_job(
    call: Call, request: service_pb2.GetInputsAddJobRequest
) -> service_pb2.SingleInputsAddJobResponse:
    """One job, with how many of its inputs wait, are worked on, are done and have failed."""
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        row = _found(conn, app, request.id)
        counts = input_jobs.counts(conn, [row.pk])
    return service_pb2.SingleInputsAddJobResponse(inputs_add_job=to_wire(row, counts[row.pk]))


@serves("ListInputsAddJobs")
def list_inputs_add_jobs(
    call: Call, request: service_pb2.ListInputsAddJobsRequest
) -> service_pb2.MultiInputsAddJobResponse:
    """The app's jobs, newest first."""
    offset, limit = offset_limit(request)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        rows = input_jobs.page(conn, app.pk, offset=offset, limit=limit)
        counts = input_jobs.counts(conn, [row.pk for row in rows])
    return service_pb2.MultiInputsAddJobResponse(inputs_add_jobs=[to_wire(row, counts[row.pk]) for row in rows])


@serves("CancelInputsAddJob")
def cancel_inputs_add_job(
    call: Call, request: service_pb2.CancelInputsAddJobRequest
) -> service_pb2.SingleInputsAddJobResponse:
    """Let a job's waiting inputs fail unprocessed; what is being worked on is finished."""
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        row = _found(conn, app, request.id)
        newest = input_jobs.newest_input(conn, row.pk)
        if newest:
            job = parse(InputsAddJob, row.wire)
            job.status.CopyFrom(status(CANCELLED))
            input_jobs.change(conn, row.pk, job.SerializeToString(deterministic=True))
    details = f"the job {request.id!r} that added it was cancelled before its turn came"
    while newest:
        with call.store.write() as conn:
            if not input_jobs.fail_waiting(conn, row.pk, upto=newest, details=details, limit=CANCEL_AT_ONCE):
                break
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        row = _found(conn, app, request.id)
        counts = input_jobs.counts(conn, [row.pk])
    return service_pb2.SingleInputsAddJobResponse(inputs_add_job=to_wire(row, counts[row.pk]))

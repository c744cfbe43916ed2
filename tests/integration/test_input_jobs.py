"""Jobs of adding inputs, over the wire."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Image, Input, InputsAddJob, Text
from sqlalchemy import select, update

from labelwright.protocol.dispatch import Server
from labelwright.protocol.resources import input_jobs as handlers
from labelwright.store import queue
from labelwright.store import tables as t

Client = Any
"""The class of the fixture `client`."""

DOES_NOT_EXIST, INVALID_ARGUMENT, INVALID_REQUEST = 11101, 30104, 39999
QUEUED, RUNNING, COMPLETED, CANCELLED = 64000, 64001, 64002, 64004


def text(id: str = "") -> Input:
    return Input(id=id, data=Data(text=Text(raw="words")))


def post(client: Client, job: str, *inputs: Input, expect: int | None = 10000) -> Any:
    request = service_pb2.PostInputsRequest(inputs=inputs, inputs_add_job_id=job)
    return client.call("PostInputs", request, expect)


def get(client: Client, job: str, expect: int = 10000) -> InputsAddJob:
    request = service_pb2.GetInputsAddJobRequest(id=job)
    found: InputsAddJob = client.call("GetInputsAddJob", request, expect).inputs_add_job
    return found


def cancel(client: Client, job: str, expect: int = 10000) -> InputsAddJob:
    request = service_pb2.CancelInputsAddJobRequest(id=job)
    found: InputsAddJob = client.call("CancelInputsAddJob", request, expect).inputs_add_job
    return found


def listed(client: Client, **fields: Any) -> list[InputsAddJob]:
    request = service_pb2.ListInputsAddJobsRequest(**fields)
    return list(client.call("ListInputsAddJobs", request).inputs_add_jobs)


def counts(job: InputsAddJob) -> tuple[int, int, int, int]:
    """Waiting, being worked on, done, failed."""
    p = job.progress
    return p.pending_count, p.in_progress_count, p.success_count, p.failed_count


def settle(server: Server, codes: dict[str, int]) -> None:
    """Give inputs a status, as a worker does."""
    with server.store.write() as conn:
        for id_, code in codes.items():
            conn.execute(update(t.inputs).where(t.inputs.c.id == id_).values(status_code=code))


def statuses(client: Client) -> dict[str, tuple[int, str]]:
    found = client.call("ListInputs", service_pb2.ListInputsRequest(per_page=1000)).inputs
    return {i.id: (i.status.code, i.status.details) for i in found}


def test_a_job_counts_its_inputs_as_they_go_on(client: Client, server: Server) -> None:
    post(client, "", text("elsewhere"))
    post(client, "job", *(text(f"i{n}") for n in range(5)))
    made = get(client, "job")
    assert (made.id, made.status.code, counts(made)) == ("job", QUEUED, (5, 0, 0, 0))
    assert made.created_at.seconds > 1_600_000_000
    settle(server, {"i0": t.IN_PROGRESS, "i1": t.DONE, "i2": 30101})
    half = get(client, "job")
    assert (half.status.code, counts(half)) == (RUNNING, (2, 1, 1, 1))
    settle(server, {"i0": t.DONE, "i3": t.DONE})
    assert get(client, "job").status.code == RUNNING
    settle(server, {"i4": t.FAILED})
    done = get(client, "job")
    assert (done.status.code, counts(done)) == (COMPLETED, (0, 0, 3, 2))


def test_a_second_call_is_merged_into_the_job(client: Client) -> None:
    post(client, "job", text("a"))
    first = get(client, "job")
    post(client, "job", text("b"), text("c"))
    second = get(client, "job")
    assert counts(second) == (3, 0, 0, 0)
    assert second.created_at == first.created_at
    assert second.modified_at.ToMicroseconds() > first.modified_at.ToMicroseconds()


def test_what_a_call_refuses_counts_as_failed(client: Client) -> None:
    post(client, "job", text("a"), text("a"), Input(id="empty"), expect=10010)
    assert counts(get(client, "job")) == (1, 0, 0, 2)
    # A client that retries sends the same ids again, and waits for this job like for any other.
    post(client, "again", text("a"), expect=30100)
    again = get(client, "again")
    assert (again.status.code, counts(again)) == (COMPLETED, (0, 0, 0, 1))
    post(client, "again", text("a"), text("b"), expect=10010)
    assert counts(get(client, "again")) == (1, 0, 0, 2)


def test_a_call_that_is_refused_as_a_whole_makes_no_job(client: Client) -> None:
    post(client, "job", expect=INVALID_REQUEST)
    post(client, "line\nbreak", text(), expect=INVALID_REQUEST)
    post(client, "x" * 257, text(), expect=INVALID_REQUEST)
    get(client, "job", DOES_NOT_EXIST)
    assert statuses(client) == {}
    assert listed(client) == []


def test_an_input_that_is_deleted_no_longer_counts(client: Client) -> None:
    post(client, "job", text("a"), text("b"))
    client.call("DeleteInputs", service_pb2.DeleteInputsRequest(ids=["a"]))
    assert counts(get(client, "job")) == (1, 0, 0, 0)


def test_a_job_without_a_name_is_none(client: Client) -> None:
    post(client, "", text("a"))
    assert listed(client) == []
    assert (
        "no job ''"
        in client.call("GetInputsAddJob", service_pb2.GetInputsAddJobRequest(), DOES_NOT_EXIST).status.details
    )


def test_jobs_are_listed_newest_first_and_by_pages(client: Client) -> None:
    for n in range(5):
        post(client, f"j{n}", *(text() for _ in range(n + 1)))
    assert [(j.id, counts(j)[0]) for j in listed(client)] == [("j4", 5), ("j3", 4), ("j2", 3), ("j1", 2), ("j0", 1)]
    assert [j.id for j in listed(client, page=2, per_page=2)] == ["j2", "j1"]
    assert listed(client, page=9) == []
    assert listed(client)[0] == get(client, "j4")
    client.call("ListInputsAddJobs", service_pb2.ListInputsAddJobsRequest(per_page=1001), 11102)


# --- cancelling -----------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [2, 1000])
def test_cancelling_fails_what_waits_and_leaves_the_rest(
    client: Client, server: Server, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(handlers, "CANCEL_AT_ONCE", at_once)
    post(client, "job", *(text(f"i{n}") for n in range(7)))
    post(client, "other", text("b"))
    post(client, "", text("c"))
    settle(server, {"i0": t.IN_PROGRESS, "i1": t.DONE})
    cancelled = cancel(client, "job")
    assert (cancelled.status.code, counts(cancelled)) == (CANCELLED, (0, 1, 1, 5))
    assert cancelled == get(client, "job")
    found = statuses(client)
    assert {found[f"i{n}"][0] for n in range(2, 7)} == {t.FAILED}
    assert "'job'" in found["i2"][1]
    assert "cancelled" in found["i2"][1]
    assert [found[i][0] for i in ("i0", "i1", "b", "c")] == [t.IN_PROGRESS, t.DONE, t.PENDING, t.PENDING]
    with server.store.write() as conn:
        app = conn.execute(select(t.inputs.c.app)).scalars().first()
        assert app is not None
        claim = queue.claim(conn, queue.this_process(), app, limit=100, seconds=60)
        assert claim is not None
        assert [row.id for row in claim.inputs] == ["b", "c"]


def test_cancelling_what_is_over_changes_nothing(client: Client, server: Server) -> None:
    post(client, "job", text("a"))
    settle(server, {"a": t.DONE})
    assert (cancel(client, "job").status.code, counts(get(client, "job"))) == (COMPLETED, (0, 0, 1, 0))
    cancel(client, "none", DOES_NOT_EXIST)


def test_a_cancelled_job_that_gets_more_inputs_begins_anew(client: Client) -> None:
    post(client, "job", text("a"))
    cancel(client, "job")
    post(client, "job", text("b"))
    again = get(client, "job")
    assert (again.status.code, counts(again)) == (QUEUED, (1, 0, 0, 1))


# --- walls ----------------------------------------------------------------------------------------


def test_another_apps_job_is_as_good_as_absent(client: Client) -> None:
    post(client, "job", text("a"))
    client.call("PostApps", service_pb2.PostAppsRequest(apps=[resources_pb2.App(id="other")]))
    other = resources_pb2.UserAppIDSet(user_id=client.user_id, app_id="other")
    for rpc, kind in (
        ("GetInputsAddJob", service_pb2.GetInputsAddJobRequest),
        ("CancelInputsAddJob", service_pb2.CancelInputsAddJobRequest),
    ):
        client.call(rpc, kind(user_app_id=other, id="job"), DOES_NOT_EXIST)
    assert listed(client, user_app_id=other) == []
    assert counts(get(client, "job")) == (1, 0, 0, 0)
    # The same name means another job in another app.
    request = service_pb2.PostInputsRequest(user_app_id=other, inputs=[text("a")], inputs_add_job_id="job")
    client.call("PostInputs", request)
    assert counts(get(client, "job")) == (1, 0, 0, 0)


def test_a_name_costs_two_statements_a_call(client: Client, server: Server) -> None:
    from sqlalchemy import event

    sent: list[str] = []
    event.listen(server.store.engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    needed = []
    for job, name in (("", "a"), ("job", "b"), ("job", "c")):
        sent.clear()
        post(client, job, *(Input(id=f"{name}{n}", data=Data(image=Image(url=f"https://x.test/{name}{n}"),
             concepts=[Concept(id="c", value=1)])) for n in range(128)))  # fmt: skip
        needed.append(len(sent))
    assert needed[1] <= needed[0] + 3
    assert needed[2] <= needed[0] + 3

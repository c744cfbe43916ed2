"""Calls a second: the direct gRPC port, the one address and REST, beside servers that do next to nothing.

    python benchmarks/api.py [--seconds 3] [--rounds 3]

Prints JSON. GetInput and PostInputs × 128 (texts), from 4 threads of one client process, which the bare grpcio and
bare Starlette servers get too; sides take turns within each round, and the figure is the median over the rounds.
The annotator is off (``--workers 0``), so that what is measured is calls alone. ``ratio`` is ours by the bare one.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from clarifai_grpc.grpc.api import resources_pb2, service_pb2, service_pb2_grpc
from servers import TOKEN, USER, free_port, server

THREADS = 4
APP = resources_pb2.UserAppIDSet(user_id=USER, app_id="bench")
KEY = (("authorization", f"Key {TOKEN}"),)
PATH = f"/v2/users/{USER}/apps/bench/inputs"

Worker = Callable[[], Callable[[], None]]
"""Makes a thread's connection; what it returns makes one call."""


@contextmanager
def bare(kind: str) -> Iterator[int]:
    """A bare server; yields its port."""
    command = [sys.executable, str(Path(__file__).with_name("bare.py")), kind]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield int((process.stdout or sys.stdin).readline())
    finally:
        process.kill()
        process.wait()


def rate(worker: Worker, seconds: float, each: int = 1) -> float:
    """How many a second ``THREADS`` threads reach together; ``each``: what one call counts for."""
    counts = [0] * THREADS
    calls = [worker() for _ in range(THREADS)]
    for call in calls:
        call()
    until = time.perf_counter() + seconds

    def work(i: int) -> None:
        while time.perf_counter() < until:
            calls[i]()
            counts[i] += 1

    started = time.perf_counter()
    threads = [threading.Thread(target=work, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) * each / (time.perf_counter() - started)


def texts() -> list[resources_pb2.Input]:
    """128 texts."""
    return [resources_pb2.Input(data=resources_pb2.Data(text=resources_pb2.Text(raw=f"text {i}"))) for i in range(128)]


def over_grpc(port: int, rpc: str, request: Any) -> Worker:
    """Calls of one RPC; each thread has a channel of its own."""

    def connect() -> Callable[[], None]:
        options = [("grpc.use_local_subchannel_pool", 1)]
        stub = service_pb2_grpc.V2Stub(grpc.insecure_channel(f"127.0.0.1:{port}", options=options))
        method = getattr(stub, rpc)

        def call() -> None:
            reply = method(request, metadata=KEY)
            if reply.status.code != 10000:
                raise SystemExit(f"{rpc}: {reply.status}")

        return call

    return connect


def over_http(port: int, verb: str, path: str, body: str | None) -> Worker:
    """Calls of one route; each thread has a connection that it keeps."""

    def connect() -> Callable[[], None]:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        headers = {"Authorization": f"Key {TOKEN}", "Content-Type": "application/json"}

        def call() -> None:
            connection.request(verb, path, body, headers)
            reply = connection.getresponse()
            text = reply.read()
            if reply.status != 200:
                raise SystemExit(f"{verb} {path}: {reply.status} {text[:300]!r}")

        return call

    return connect


def main() -> None:
    """Measure all sides, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds for each figure in each round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the median counts")
    options = parser.parse_args()
    direct, plain = free_port(), free_port()
    ports = {"LABELWRIGHT_GRPC": f"127.0.0.1:{direct}", "LABELWRIGHT_HTTP": f"127.0.0.1:{plain}"}
    with bare("grpc") as bare_grpc, bare("http") as bare_http, server(workers=0, **ports) as session:
        added = session.call("PostInputs", service_pb2.PostInputsRequest(inputs=texts()[:1])).inputs[0].id
        get = service_pb2.GetInputRequest(user_app_id=APP, input_id=added)
        post = service_pb2.PostInputsRequest(user_app_id=APP, inputs=texts())
        body = json.dumps({"inputs": [{"data": {"text": {"raw": f"text {i}"}}} for i in range(128)]})
        address = session.port
        sides: dict[str, dict[str, Worker]] = {
            "GetInput": {
                "bare_grpc": over_grpc(bare_grpc, "GetInput", get),
                "direct_port": over_grpc(direct, "GetInput", get),
                "one_address": over_grpc(address, "GetInput", get),
                "bare_http": over_http(bare_http, "GET", f"{PATH}/{added}", None),
                "rest": over_http(address, "GET", f"{PATH}/{added}", None),
                "rest_direct_port": over_http(plain, "GET", f"{PATH}/{added}", None),
            },
            "PostInputs x 128": {
                "bare_grpc": over_grpc(bare_grpc, "PostInputs", post),
                "direct_port": over_grpc(direct, "PostInputs", post),
                "one_address": over_grpc(address, "PostInputs", post),
                "bare_http": over_http(bare_http, "POST", PATH, body),
                "rest": over_http(address, "POST", PATH, body),
                "rest_direct_port": over_http(plain, "POST", PATH, body),
            },
        }
        result: dict[str, Any] = {"benchmark": Path(__file__).name, "threads": THREADS}
        for name, workers in sides.items():
            rounds = [{s: rate(w, options.seconds) for s, w in workers.items()} for _ in range(options.rounds)]
            median = {s: statistics.median(r[s] for r in rounds) for s in workers}
            result[name] = {
                "calls_per_s": {s: round(v) for s, v in median.items()},
                "ratio": {
                    s: round(median[s] / median["bare_http" if s.startswith("rest") else "bare_grpc"], 2)
                    for s in workers
                    if not s.startswith("bare")
                },
            }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

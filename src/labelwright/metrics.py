"""What the server counts of itself, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

CALLS = Counter("labelwright_calls", "Calls answered, by RPC and status code.", ["rpc", "code"])
CALL_SECONDS = Histogram("labelwright_call_seconds", "Seconds from a call's arrival to its reply.", ["rpc"])


def call(rpc: str, code: int, seconds: float) -> None:
    """Count a call that was answered."""
    CALLS.labels(rpc, str(code)).inc()
    CALL_SECONDS.labels(rpc).observe(seconds)

"""Running hypothesis' state machines against a real server's store."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def run_machine(
    machine: type[RuleBasedStateMachine], client: Any, tokens: tuple[str, str], *, examples: int, steps: int
) -> None:
    """Run a machine of two people, which finds the client and their tokens as `client` and `tokens` of its class."""
    few = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    run_state_machine_as_test(type(machine.__name__, (machine,), {"client": client, "tokens": tokens}), settings=few)

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks import engine_cpu
from shared import aws
from shared.settings import forget_environment


@pytest.fixture(autouse=True)
def _as_a_function(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name, value in engine_cpu.environment().items():
        monkeypatch.setenv(name, value)
    aws.forget_clients()
    forget_environment()
    yield
    aws.forget_clients()
    forget_environment()


def test_a_task_message_takes_two_aws_calls_and_a_step_none() -> None:
    costs = engine_cpu.run(rounds=1, calls=5)

    assert [(name, [cost.calls for cost in each]) for name, each in costs.items()] == [
        ("task message", [2.0]),
        ("workflow step", [0.0]),
    ]
    [message], [step] = costs.values()
    assert message.inside_aws > 0 == step.inside_aws
    assert message.engine > 0 < step.engine

"""A workflow's state machine in moto, where an execution runs until somebody ends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boto3
import pytest

from shared.engine import Failure, Workflow
from shared.engine.executions import ExecutionEnded, record_end
from tests.factories import Context, Greeted, envelope
from tests.stack import Stack
from tests.worker import answered

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:test_demo-greet"
DEFINITION = (
    '{"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": true}}}'  # longer than a test
)


def make_machine() -> None:
    boto3.client("stepfunctions").create_state_machine(
        name="test_demo-greet", definition=DEFINITION, roleArn="arn:aws:iam::123456789012:role/test"
    )


@pytest.fixture
def machine(stack: Stack) -> Stack:
    make_machine()
    return stack


def executions() -> list[dict[str, Any]]:
    client = boto3.client("stepfunctions")
    listed = client.list_executions(stateMachineArn=MACHINE)["executions"]
    return [dict(client.describe_execution(executionArn=each["executionArn"])) for each in listed]


class Flow:
    """A workflow that is only admitted, and whose `on_failure` does what the test says."""

    def __init__(self, when_told: Sequence[Any] = (), **policies: Any) -> None:
        self.told: list[Failure] = []
        self._when_told = list(when_told)
        self.workflow = Workflow("demo-greet", trigger=Greeted, attempts=3, **policies)
        self.workflow.on_failure(self._be_told)

    def _be_told(self, event: Greeted, failure: Failure) -> None:
        self.told.append(failure)
        answered(self._when_told)

    def receives(self, stack: Stack, body: str = envelope(), *, receives: int = 1) -> Any:
        return self.workflow.handler(stack.message(body, receives=receives), Context())

    def works_off(self, stack: Stack) -> None:
        stack.work_off(self.workflow.handler)

    def ends(self, stack: Stack, status: str, **said: Any) -> None:
        """Have the end of the only execution recorded, and told into this test's one inbox."""
        [execution] = executions()
        detail = {"executionArn": execution["executionArn"], "name": execution["name"], "status": status}
        dates = {"startDate": 1_772_341_200_000, "stopDate": 1_772_341_260_500}
        record_end(ExecutionEnded.model_validate(detail | dates | said))

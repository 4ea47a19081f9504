from __future__ import annotations

from pathlib import Path

import yaml

from benchmarks.application.shop.pack import workflow
from benchmarks.detached import checkout
from benchmarks.local_stack import STEPS
from local.template.deployment import expand
from local.template.placement import Placement


def test_the_machine_calls_each_of_the_eight_steps(tmp_path: Path) -> None:
    template = checkout(tmp_path)

    machine = yaml.safe_load((template.parent / "shop" / "pack.asl.yaml").read_text())

    called = [state["Arguments"]["Payload"]["step"] for state in machine["States"].values() if state["Type"] == "Task"]
    assert called == list(workflow.steps)
    assert len(called) == STEPS


def test_the_template_can_be_run(tmp_path: Path) -> None:
    deployment = expand(checkout(tmp_path), Placement())

    assert {function.function_id for function in deployment.functions} >= {"shop-note", "shop-pack", "platform-ledger"}

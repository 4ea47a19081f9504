"""What linters say of the template, of its translation, of each state machine and of the imports."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint

from local.template.document import read_document
from local.template.order import deployment_order
from tests.conventions.house import ROOT, TEMPLATE, house

# cfn-lint takes seconds to load its schemas: one process, once.
pytestmark = pytest.mark.xdist_group("linters")


def complaints(template: str) -> list[str]:
    return [f"{match.rule.id} {match.message} (line {match.linenumber})" for match in lint(template)]


def inline_machine(definition: Any) -> str:
    """Return a template with one state machine whose definition stands inline: only so is it linted."""
    properties = {
        "RoleArn": "arn:aws:iam::123456789012:role/machine",
        "Definition": definition,
        "DefinitionSubstitutions": {"Function": "arn:aws:lambda:us-east-1:123456789012:function:it"},
    }
    machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Machine": machine}}, indent=1)


def test_the_template_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")  # its SAM translation asks the environment
    monkeypatch.chdir(ROOT)  # and reads the definition files from here

    assert complaints(TEMPLATE.read_text(encoding="utf-8")) == []


def test_its_translation_is_clean() -> None:
    # only here does cfn-lint see visibility time-outs against functions' and what SAM adds
    assert complaints(json.dumps(house().translated, indent=1)) == []


def test_every_state_machine_is_clean() -> None:
    found = {path.name: complaints(inline_machine(read_document(path))) for _, path in house().machine_files()}

    assert found
    assert not any(found.values()), found


def test_the_linter_sees_into_state_machines() -> None:
    broken = {"StartAt": "A", "States": {"A": {"Type": "Passing", "End": True}}}

    assert complaints(inline_machine(broken))


def test_no_resources_need_each_other_in_a_circle() -> None:
    assert len(deployment_order(house().translated["Resources"])) == len(house().translated["Resources"])


def test_imports_go_one_way() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")

    ended = subprocess.run([lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr

"""Translation of SAM templates."""

from pathlib import Path

import pytest

from local.template.errors import TemplateError
from local.template.translate import translate

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13, CodeUri: src/}}
Resources:
  Worker:
    Type: AWS::Serverless::Function
    Properties: {Handler: app.handler, Policies: [AmazonSQSReadOnlyAccess]}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties: {DefinitionUri: machine.asl.yaml, DefinitionSubstitutions: {Function: !GetAtt Worker.Arn}}
"""
MACHINE = "StartAt: Done\nStates: {Done: {Type: Succeed, Output: '${Function}'}}\n"


@pytest.fixture
def template(tmp_path: Path) -> Path:
    (tmp_path / "machine.asl.yaml").write_text(MACHINE, encoding="utf-8")
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE, encoding="utf-8")
    return path


def test_needs_neither_region_nor_credentials_nor_network(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    translated = translate(template, region="eu-west-1")

    assert {resource["Type"] for resource in translated["Resources"].values()} == {
        "AWS::IAM::Role",
        "AWS::Lambda::Function",
        "AWS::StepFunctions::StateMachine",
    }


def test_puts_the_definition_file_into_the_state_machine(template: Path) -> None:
    machine = translate(template)["Resources"]["Machine"]["Properties"]

    assert '"StartAt": "Done"' in "\n".join(machine["DefinitionString"]["Fn::Join"][1])
    assert machine["DefinitionSubstitutions"] == {"Function": {"Fn::GetAtt": ["Worker", "Arn"]}}


def test_returns_plain_types(template: Path) -> None:
    translated = translate(template)

    assert {type(key) for key in translated["Resources"]} == {str}


def test_leaves_plain_cloudformation_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text("Resources: {Queue: {Type: AWS::SQS::Queue}}", encoding="utf-8")

    assert translate(path) == {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}


def test_passes_on_what_the_translator_complains_of(template: Path) -> None:
    template.write_text(TEMPLATE.replace("Handler: app.handler,", "Handler: app.handler, Nonsense: 1,"))

    with pytest.raises(TemplateError, match="Nonsense"):
        translate(template)


def test_names_a_missing_definition_file(template: Path) -> None:
    (template.parent / "machine.asl.yaml").unlink()

    with pytest.raises(TemplateError, match=r"machine\.asl\.yaml: No such file"):
        translate(template)

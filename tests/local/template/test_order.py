"""Dependencies between resources."""

from typing import Any

import pytest

from local.template.errors import TemplateError
from local.template.order import deployment_order, references


def test_finds_references_in_every_form() -> None:
    value = {
        "a": [{"Ref": "A"}, {"Fn::GetAtt": ["B", "Arn"]}, {"Fn::GetAtt": "C.Arn"}],
        "b": {"Fn::Sub": ["${D.Arn} ${!NotThis} ${local} ${AWS::Region}", {"local": {"Ref": "E"}}]},
        "c": {"Fn::Join": ["", [{"Fn::Sub": "${F}"}]]},
    }

    assert set(references(value)) == {"A", "B", "C", "D", "AWS::Region", "E", "F"}


def test_puts_each_resource_after_what_it_needs() -> None:
    resources: dict[str, dict[str, Any]] = {
        "Rule": {"DependsOn": "Policy", "Properties": {"Target": {"Fn::GetAtt": ["Queue", "Arn"]}}},
        "Policy": {"Properties": {"Queue": {"Ref": "Queue"}}},
        "Queue": {"Properties": {"Dead": {"Fn::GetAtt": ["Dead", "Arn"]}, "Name": {"Ref": "AWS::StackName"}}},
        "Dead": {},
    }

    assert deployment_order(resources) == ["Dead", "Queue", "Policy", "Rule"]


def test_shows_a_circle() -> None:
    resources: dict[str, dict[str, Any]] = {
        "A": {"Properties": {"x": {"Ref": "B"}}},
        "B": {"DependsOn": ["C"]},
        "C": {"Properties": {"x": {"Fn::Sub": "${A.Arn}"}}},
    }

    with pytest.raises(TemplateError, match=r"circle of dependencies: (\w) -> \w -> \w -> \1"):
        deployment_order(resources)


def test_refuses_a_resource_that_needs_itself() -> None:
    with pytest.raises(TemplateError, match="A refers to itself"):
        deployment_order({"A": {"Properties": {"x": {"Ref": "A"}}}})

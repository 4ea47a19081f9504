"""Values of parameters."""

import pytest

from local.template.errors import TemplateError
from local.template.parameters import parameter_values


def test_takes_the_default_unless_a_value_is_given() -> None:
    declared: dict[str, dict[str, object]] = {"A": {"Default": "a"}, "B": {"Type": "Number", "Default": 30}}

    assert parameter_values(declared, {"A": "other"}) == {"A": "other", "B": "30"}


def test_splits_lists() -> None:
    declared = {
        "A": {"Type": "CommaDelimitedList", "Default": ""},
        "B": {"Type": "List<Number>", "Default": "1, 2"},
    }

    assert parameter_values(declared, {}) == {"A": [""], "B": ["1", "2"]}


def test_stands_in_for_what_has_no_value() -> None:
    declared = {"A": {"Type": "String", "AllowedPattern": "arn:.*"}, "B": {"Type": "String", "Default": "b"}}

    assert parameter_values(declared, {}, stand_in="unknown") == {"A": "unknown", "B": "b"}


@pytest.mark.parametrize(
    ("declaration", "given", "complaint"),
    [
        ({"Type": "String"}, {}, "A has no value"),
        ({"Type": "String"}, {"A": "x", "Else": "y"}, "Else is not declared"),
        ({"Type": "String", "AllowedValues": ["dev", "prod"]}, {"A": "test"}, "'test' is none of dev, prod"),
        ({"Type": "Number"}, {"A": "many"}, "'many' is not a number"),
        ({"Type": "Number", "MinValue": 2}, {"A": "1.5"}, "'1.5': its MinValue is 2"),
        ({"Type": "Number", "MaxValue": 2}, {"A": "3"}, "'3': its MaxValue is 2"),
        ({"Type": "Number", "MinValue": 2, "ConstraintDescription": "two"}, {"A": "1"}, "'1': two"),
        ({"Type": "String", "AllowedPattern": "arn:.+"}, {"A": "x"}, "must match arn"),
        ({"Type": "String", "AllowedPattern": "a", "ConstraintDescription": "an a"}, {"A": "x"}, "'x': an a"),
        ({"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/x"}, {}, "looked up"),
    ],
)
def test_refuses_what_cloudformation_would(
    declaration: dict[str, object], given: dict[str, str], complaint: str
) -> None:
    with pytest.raises(TemplateError, match=complaint):
        parameter_values({"A": declaration}, given)

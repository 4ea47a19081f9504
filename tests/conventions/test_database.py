"""What touches the database stays within the connections that there are, and logs in as the deployment says."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from local.template.errors import TemplateError
from local.template.placement import Placement
from local.template.resolve import ResolvedTemplate, Resource, resolve
from shared.engine import Workflow
from tests.conventions.house import Deployed, house


class NoBoundError(AssertionError):
    """A function may open as many connections as it gets messages or calls."""


def of_the_database() -> list[Deployed]:
    return [each for each in house().functions if "DATABASE_SECRET_ARN" in variables(each)]


def variables(function: Deployed) -> dict[str, Any]:
    return dict(function.resource.properties["Environment"]["Variables"])


def most_connections(function: Deployed) -> int:
    """Return how many calls of `function` run at a time at most; each has one connection at a time.

    A task is called for its inbox alone, so the mapping's limit holds. A workflow's steps are called by its state
    machine, and others by hand, past any mapping: only a reservation bounds those.
    """
    reserved = function.resource.properties.get("ReservedConcurrentExecutions")
    if reserved is not None:
        return int(reserved)
    if function.mapping is None or isinstance(function.definition, Workflow):
        raise NoBoundError(f"{function.id} needs ReservedConcurrentExecutions")
    limit = function.mapping.properties.get("ScalingConfig", {}).get("MaximumConcurrency")
    if limit is None:
        raise NoBoundError(f"{function.id} needs a MaximumConcurrency")
    return int(limit)


def at_full_load(functions: Iterable[Deployed]) -> int:
    return sum(map(most_connections, functions))


def budget(name: str) -> int:
    return int(house().document["Parameters"]["DatabaseConnectionBudget"][name])


def deployed(**parameters: str) -> ResolvedTemplate:
    return resolve(house().translated, parameters, Placement(), stand_in="given at deployment")


def without(resource: Resource, name: str) -> Resource:
    return replace(resource, properties={key: value for key, value in resource.properties.items() if key != name})


def test_all_functions_together_stay_within_the_connection_budget() -> None:
    needed = at_full_load(of_the_database())

    # MinValue makes CloudFormation refuse a budget that the functions would overdraw
    assert needed == budget("MinValue"), {each.id: most_connections(each) for each in of_the_database()}
    assert needed <= budget("Default")


def test_a_budget_that_the_functions_would_overdraw_is_refused() -> None:
    needed = at_full_load(of_the_database())

    deployed(DatabaseConnectionBudget=str(needed))
    with pytest.raises(TemplateError, match="DatabaseConnectionBudget"):
        deployed(DatabaseConnectionBudget=str(needed - 1))


def test_functions_of_each_kind_touch_the_database() -> None:
    kinds = {type(each.definition).__name__ for each in of_the_database()}

    assert kinds == {"Task", "Workflow", "NoneType"}, "else the tests here see less than they say"


def test_one_more_function_counts() -> None:
    functions = of_the_database()

    for another in functions:
        assert at_full_load([*functions, another]) > budget("MinValue"), another.id


def test_a_function_without_a_bound_is_found() -> None:
    for function in of_the_database():
        unbounded = replace(
            function,
            resource=without(function.resource, "ReservedConcurrentExecutions"),
            mapping=without(function.mapping, "ScalingConfig") if function.mapping else None,
        )

        with pytest.raises(NoBoundError, match=function.id):
            most_connections(unbounded)


def test_a_mapping_does_not_bound_a_workflows_steps() -> None:
    workflows = [each for each in of_the_database() if isinstance(each.definition, Workflow)]

    assert workflows
    for workflow in workflows:
        with pytest.raises(NoBoundError, match="ReservedConcurrentExecutions"):
            most_connections(replace(workflow, resource=without(workflow.resource, "ReservedConcurrentExecutions")))


def test_a_reservation_leaves_room_for_steps_beside_the_inbox() -> None:
    for function in house().functions:
        reserved = function.resource.properties.get("ReservedConcurrentExecutions")
        if reserved is not None and function.mapping is not None:
            polled = function.mapping.properties["ScalingConfig"]["MaximumConcurrency"]

            # polls that the reservation refuses would cost messages their receives
            assert reserved > polled, function.id


def login_statements(template: ResolvedTemplate) -> list[Any]:
    return [
        statement["Resource"]
        for policy in template.of_type("AWS::IAM::ManagedPolicy")
        for statement in policy.properties["PolicyDocument"]["Statement"]
        if statement["Action"] == "rds-db:connect"
    ]


def test_a_login_with_iam_is_allowed_for_its_user_alone() -> None:
    template = deployed(DatabaseIamLogin="db-ABC123/nightshift")

    (allowed,) = login_statements(template)

    placement = template.placement
    assert allowed == f"arn:aws:rds-db:{placement.region}:{placement.account_id}:dbuser:db-ABC123/nightshift"


def test_everything_that_touches_the_database_is_told_who_logs_in() -> None:
    template = deployed(DatabaseIamLogin="db-ABC123/nightshift")

    told = [each.properties["Environment"]["Variables"] for each in template.of_type("AWS::Lambda::Function")]
    logins = [each.get("DATABASE_IAM_LOGIN") for each in told if "DATABASE_SECRET_ARN" in each]

    assert logins == ["db-ABC123/nightshift"] * len(of_the_database())


def test_a_login_with_a_password_needs_no_right_to_log_in() -> None:
    assert login_statements(deployed()) == []


@pytest.mark.parametrize(
    "value", ["nightshift", "db-ABC123/", "db-ABC123/a/b", "*/*", "db-ABC123/*", "mydb/nightshift"]
)
def test_a_login_with_iam_names_one_user_of_one_database(value: str) -> None:
    with pytest.raises(TemplateError, match="DatabaseIamLogin"):
        deployed(DatabaseIamLogin=value)

"""Each function's role allows only what it uses, and whatever is for everything says why."""

import ast
import re
from collections.abc import Iterator
from typing import Any, Final

from local.template.resolve import Resource
from shared.engine import Workflow
from tests.conventions.house import TEMPLATE, Deployed, house

# What SAM attaches for logs, the network interface of a VPC and traces: AWS's own, for actions without resources.
AWS_MANAGED: Final = {"AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole", "AWSXrayWriteOnlyAccess"}
STATEFUL: Final = {
    "AWS::DynamoDB::Table",
    "AWS::Events::Archive",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
}


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every IAM and queue policy statement with the logical id of the resource that it stands in."""
    for resource in house().template.resources.values():
        documents = [resource.properties.get("PolicyDocument")]
        documents += [policy["PolicyDocument"] for policy in resource.properties.get("Policies", [])]
        for document in documents:
            if isinstance(document, dict):
                yield from ((resource.logical_id, statement) for statement in document["Statement"])


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def role_of(function: Deployed) -> Resource:
    arn = function.resource.properties["Role"]
    roles = house().template.of_type("AWS::IAM::Role")
    return next(role for role in roles if role.identity.attributes["Arn"] == arn)


def imports_database(function: Deployed) -> bool:
    tree = ast.parse(function.source.read_text(encoding="utf-8"))
    names = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in (node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names))
    }
    return any(name == "shared.database" or name.startswith("shared.database.") for name in names)


def test_a_statement_for_every_resource_says_why() -> None:
    written = [line for line in TEMPLATE.read_text(encoding="utf-8").splitlines() if re.search(r"""['"]\*['"]""", line)]
    meant = [name for name, each in statements() if "*" in (*as_list(each["Resource"]), each.get("Principal"))]

    assert [line for line in written if not re.search(r"""['"]\*['"] # \w.+""", line)] == []
    assert len(written) == len(meant)


def test_no_statement_allows_every_action_of_a_service() -> None:
    allowed = [(name, each) for name, each in statements() if each["Effect"] == "Allow"]
    wide = [(name, action) for name, each in allowed for action in as_list(each["Action"]) if "*" in action]

    assert wide == []


def test_roles_have_no_policy_of_awss_but_for_logs_network_and_traces() -> None:
    for role in house().template.of_type("AWS::IAM::Role"):
        attached = {
            arn.rpartition("/")[2] for arn in role.properties.get("ManagedPolicyArns", []) if ":aws:policy/" in arn
        }

        assert attached <= AWS_MANAGED, role.logical_id


def test_only_functions_that_touch_the_database_reach_it() -> None:
    (secret_policy,) = (
        policy.identity.ref
        for policy in house().template.of_type("AWS::IAM::ManagedPolicy")
        if "secretsmanager:GetSecretValue" in str(policy.properties["PolicyDocument"])
    )
    for function in house().functions:
        reaches = {
            "VPC": "VpcConfig" in function.resource.properties,
            "variable": "DATABASE_SECRET_ARN" in function.resource.properties["Environment"]["Variables"],
            "policy": secret_policy in role_of(function).properties["ManagedPolicyArns"],
        }

        assert set(reaches.values()) == {imports_database(function)}, (function.id, reaches)


def policy(logical_id: str) -> str:
    return str(house().template.resources[logical_id].identity.ref)


def uses_once(function: Deployed) -> bool:
    definition = function.definition
    steps = definition.steps.values() if isinstance(definition, Workflow) else ()
    return any(step.once for step in steps) or "once" in imported_from_engine(function)


def imported_from_engine(function: Deployed) -> set[str]:
    tree = ast.parse(function.source.read_text(encoding="utf-8"))
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "shared.engine")
    return {alias.name for node in imports for alias in node.names}


def test_a_function_may_use_the_tables_of_the_engine_that_its_definition_needs() -> None:
    for function in house().functions:
        attached = role_of(function).properties["ManagedPolicyArns"]
        definition = function.definition

        assert (policy("FlowPolicy") in attached) == (definition is not None and not definition.admission.is_free)
        assert (policy("EffectsPolicy") in attached) == uses_once(function), function.id


def test_a_function_polls_its_own_inbox_only() -> None:
    for function in house().functions:
        polled = {
            resource
            for name, statement in statements()
            if name == role_of(function).logical_id and "sqs:ReceiveMessage" in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
        }

        assert polled == ({function.inbox.identity.attributes["Arn"]} if function.inbox else set()), function.id


def test_what_holds_state_says_what_becomes_of_it() -> None:
    silent = [
        logical_id
        for logical_id, resource in house().document["Resources"].items()
        if resource["Type"] in STATEFUL and not {"DeletionPolicy", "UpdateReplacePolicy"} <= resource.keys()
    ]

    assert silent == []

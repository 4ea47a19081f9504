"""Alarms watch metrics that the code really writes, under the dimensions that it writes them with."""

import ast
import json
from typing import Any

import pytest

from shared.observability import NAMESPACE, count, count_records_affected, measured
from tests.conventions.house import ROOT, house


def alarms() -> list[dict[str, Any]]:
    return [dict(alarm.properties) for alarm in house().alarms if alarm.properties.get("Namespace") == NAMESPACE]


def documents(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def dimensions_in(document: dict[str, Any]) -> list[dict[str, str]]:
    """Return the dimensions of each set under which CloudWatch files a document's metrics."""
    [directive] = document["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == NAMESPACE
    return [{name: document[name] for name in names} for names in directive["Dimensions"]]


def counted() -> set[str]:
    """Return the metrics that the code counts by itself, by their names in its calls of `count`."""
    sources = [path for room in ("shared", "functions") for path in (ROOT / room).rglob("*.py")]
    nodes = [node for path in sources for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return {str(ast.literal_eval(call.args[0])) for call in calls if ast.unparse(call.func) == "count" and call.args}


def measured_metrics(capsys: pytest.CaptureFixture[str]) -> set[str]:
    with measured("demo"):
        count_records_affected(1)
    [document] = documents(capsys)
    return {metric["Name"] for metric in document["_aws"]["CloudWatchMetrics"][0]["Metrics"]}


def test_alarms_watch_what_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    written = measured_metrics(capsys) | counted()

    assert alarms()
    assert {alarm["MetricName"] for alarm in alarms()} <= written


def test_alarms_name_the_dimensions_that_the_documents_have(capsys: pytest.CaptureFixture[str]) -> None:
    functions = {function.id for function in house().functions}

    for alarm in alarms():
        named = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
        assert named["function"] in functions
        count("RunsDrivenOn", function=named["function"])
        with measured(named["function"]):
            pass
        for document in documents(capsys):
            assert named in dimensions_in(document), alarm["MetricName"]

"""Structured logs that name the run, and metrics in CloudWatch's embedded metric format."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACE = "Nightshift"


@cache
def logger() -> Logger:
    """Return the process's logger: one JSON object a line, with the keys that `log_context` added."""
    return Logger(service="nightshift", utc=True, use_rfc3339=True, serialize_stacktrace=False)


@cache
def _metrics() -> EphemeralMetrics:
    return EphemeralMetrics(namespace=NAMESPACE, service="nightshift")


@contextmanager
def log_context(**keys: object) -> Iterator[None]:
    """Add `keys` (run id, function, step, attempt, …) to every log line inside the block."""
    with logger().append_context_keys(**keys):
        yield


def count_records_affected(number: int) -> None:
    """Add `number` to the rows, messages or objects that this call of the function changed."""
    _metrics().add_metric("RecordsAffected", MetricUnit.Count, number)


@contextmanager
def measured(function: str) -> Iterator[None]:
    """Count one processed event of `function`, its errors and its latency, and write them to the log.

    Metrics are `EventsProcessed` (count), `Errors` (count), `Latency` (ms) and what the block counted as
    `RecordsAffected` (count), with the dimension `function`. Format:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    metrics = _metrics()
    metrics.add_dimension("function", function)
    began = perf_counter()
    errors = 1
    try:
        yield
        errors = 0
    finally:
        metrics.add_metric("EventsProcessed", MetricUnit.Count, 1)
        metrics.add_metric("Errors", MetricUnit.Count, errors)
        metrics.add_metric("Latency", MetricUnit.Milliseconds, (perf_counter() - began) * 1000)
        metrics.flush_metrics()

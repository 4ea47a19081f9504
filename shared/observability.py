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

# What the event that is measured now has counted. Powertools keeps 100 values of a metric and then writes a document
# of its own accord, after which the rest would have no dimension; a long deletion counts more chunks than that.
_affected: list[int] = []


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
    _affected.append(number)


def count(metric: str, *, function: str) -> None:
    """Count one `metric` of `function` and write it to the log at once: what is rare must outlive what comes next."""
    metrics = EphemeralMetrics(namespace=NAMESPACE, service="nightshift")
    metrics.add_dimension("function", function)
    metrics.add_metric(metric, MetricUnit.Count, 1)
    metrics.flush_metrics()


@contextmanager
def measured(function: str) -> Iterator[None]:
    """Count one processed event of `function`, its errors and its latency, and write them to the log.

    Metrics are `EventsProcessed` (count), `Errors` (count), `Latency` (ms) and what the block counted as
    `RecordsAffected` (count), with the dimension `function`. Format:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    metrics = _metrics()
    metrics.add_dimension("function", function)
    _affected.clear()
    began = perf_counter()
    errors = 0
    try:
        yield
    except Exception:  # and not `Continue`, which ends a call as it should
        errors = 1
        raise
    finally:
        metrics.add_metric("EventsProcessed", MetricUnit.Count, 1)
        metrics.add_metric("Errors", MetricUnit.Count, errors)
        metrics.add_metric("Latency", MetricUnit.Milliseconds, (perf_counter() - began) * 1000)
        if _affected:
            metrics.add_metric("RecordsAffected", MetricUnit.Count, sum(_affected))
        metrics.flush_metrics()

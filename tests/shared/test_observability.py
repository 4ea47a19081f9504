from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from shared.engine import Continue
from shared.observability import count, count_records_affected, log_context, logger, measured

Capture = pytest.CaptureFixture[str]


class Stdout:
    """Whatever stdout is when something is written: pytest changes it between a test's phases."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


@pytest.fixture(autouse=True)
def _logger_writes_here() -> Iterator[None]:
    """Let the process's logger write to what this test captures; it holds the stream that it was made with."""
    handlers = [handler for handler in logger().handlers if isinstance(handler, logging.StreamHandler)]
    before = [handler.stream for handler in handlers]
    for handler in handlers:
        handler.stream = Stdout()  # setStream would flush the one before, which may be closed
    yield
    for handler, stream in zip(handlers, before, strict=True):
        handler.stream = stream


def printed(capsys: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


class TestLogs:
    def test_is_one_json_object_a_line(self, capsys: Capture) -> None:
        logger().info("two\nlines", extra={"rows": 3})

        [line] = printed(capsys)
        assert (line["level"], line["message"], line["rows"]) == ("INFO", "two\nlines", 3)
        assert datetime.fromisoformat(line["timestamp"]).utcoffset() is not None

    def test_names_the_run_inside_the_block_only(self, capsys: Capture) -> None:
        logger().info("before")
        with log_context(run_id="r-1", function="demo-greet"):
            logger().info("inside")
        logger().info("after")

        before, inside, after = printed(capsys)
        assert (inside["run_id"], inside["function"]) == ("r-1", "demo-greet")
        assert {"run_id", "function"}.isdisjoint(before)
        assert {"run_id", "function"}.isdisjoint(after)

    def test_adds_the_keys_of_each_block_that_a_line_is_in(self, capsys: Capture) -> None:
        with log_context(run_id="r-1"):
            with log_context(step="send_page", attempt=2):
                logger().info("inner")
            logger().info("outer")

        inner, outer = printed(capsys)
        assert (inner["run_id"], inner["step"], inner["attempt"]) == ("r-1", "send_page", 2)
        assert "step" not in outer

    def test_forgets_the_run_when_the_block_raises(self, capsys: Capture) -> None:
        with pytest.raises(ValueError, match="no"), log_context(run_id="r-1"):
            raise ValueError("no")
        logger().info("after")

        [after] = printed(capsys)
        assert "run_id" not in after

    def test_keeps_an_exception_on_its_line(self, capsys: Capture) -> None:
        try:
            raise ValueError("no such client")
        except ValueError:
            logger().exception("attempt failed")

        [line] = printed(capsys)
        assert (line["message"], line["exception_name"]) == ("attempt failed", "ValueError")
        assert "no such client" in line["exception"]


class TestMetrics:
    def test_writes_a_valid_embedded_metric_document(self, capsys: Capture) -> None:
        with measured("demo-greet"):
            count_records_affected(3)
            count_records_affected(4)

        [document] = printed(capsys)
        aws = document["_aws"]
        assert isinstance(aws["Timestamp"], int)
        [directive] = aws["CloudWatchMetrics"]
        assert directive["Namespace"] == "Nightshift"
        assert [set(names) for names in directive["Dimensions"]] == [{"function", "service"}]
        assert (document["function"], document["service"]) == ("demo-greet", "nightshift")
        units = {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
        assert units == {
            "EventsProcessed": "Count",
            "Errors": "Count",
            "Latency": "Milliseconds",
            "RecordsAffected": "Count",
        }
        assert (values(document, "EventsProcessed"), values(document, "Errors")) == ([1.0], [0.0])
        assert sum(values(document, "RecordsAffected")) == 7
        assert values(document, "Latency")[0] >= 0

    def test_counts_an_error_and_lets_it_pass(self, capsys: Capture) -> None:
        with pytest.raises(ValueError, match="no"), measured("demo-greet"):
            raise ValueError("no")

        [document] = printed(capsys)
        assert (values(document, "EventsProcessed"), values(document, "Errors")) == ([1.0], [1.0])

    def test_going_on_in_another_call_is_no_error(self, capsys: Capture) -> None:
        with pytest.raises(Continue), measured("demo-greet"):
            raise Continue(cursor=7)

        [document] = printed(capsys)
        assert values(document, "Errors") == [0.0]

    def test_is_one_document_however_often_the_event_counted(self, capsys: Capture) -> None:
        with measured("demo-greet"):
            for _ in range(250):  # a metric holds 100 values: an early flush would lose the dimension of the rest
                count_records_affected(2)

        [document] = printed(capsys)
        assert document["function"] == "demo-greet"
        assert values(document, "RecordsAffected") == [500.0]

    def test_begins_each_event_with_nothing(self, capsys: Capture) -> None:
        count_records_affected(2)
        with measured("first"):
            count_records_affected(3)
        with measured("second"):
            pass

        first, second = printed(capsys)
        assert (first["function"], second["function"]) == ("first", "second")
        assert values(first, "RecordsAffected") == [3.0]
        assert "RecordsAffected" not in second

    def test_writes_what_is_rare_at_once_with_its_function(self, capsys: Capture) -> None:
        with measured("demo-greet"):
            count("EffectsUnknown", function="demo-greet")
            [rare] = printed(capsys)

        [usual] = printed(capsys)
        assert (rare["function"], values(rare, "EffectsUnknown")) == ("demo-greet", [1.0])
        assert "EffectsUnknown" not in usual
        assert "EventsProcessed" not in rare


def values(document: dict[str, Any], metric: str) -> list[float]:
    value = document[metric]
    return [float(each) for each in (value if isinstance(value, list) else [value])]

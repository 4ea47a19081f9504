"""Events, schedules and samples against the models of what they carry."""

import json
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from local.template.registry import as_text, registry_of
from local.template.resolve import Resource
from shared.engine.arrival import data_of
from shared.engine.envelope import Envelope
from shared.engine.executions import StatusChange
from shared.events.catalogue import CATALOGUE
from shared.events.schedule import ScheduleFired
from shared.schedules import Timing
from tests.conventions.house import ROOT, TEMPLATE, Deployed, house

SCHEDULED_TIME: Final = "<aws.scheduler.scheduled-time>"


def registry() -> dict[str, Any]:
    functions: dict[str, Any] = registry_of(TEMPLATE)["functions"]
    return functions


def schedules() -> list[tuple[Resource, Deployed]]:
    """Return each schedule with the function whose inbox it fills."""
    inboxes = {inbox.identity.attributes["Arn"]: function for function, _, inbox in house().with_inbox}
    found = house().template.of_type("AWS::Scheduler::Schedule")
    return [(schedule, inboxes[schedule.properties["Target"]["Arn"]]) for schedule in found]


def sample(function: Deployed) -> Any:
    return json.loads((ROOT / "events" / f"{function.id}.json").read_text(encoding="utf-8"))


def test_the_registry_is_what_the_template_says() -> None:
    written = (ROOT / "shared" / "registry.json").read_text(encoding="utf-8")

    assert written == as_text(registry_of(TEMPLATE)), "run `make registry`"


def test_rules_and_schedules_bring_what_each_function_takes() -> None:
    for function in house().functions:
        if function.definition is None:
            continue
        entry, name = registry()[function.id], function.definition.trigger.event_name

        assert entry["events"] == ([] if entry["schedule"] else [name]), function.id
        assert bool(entry["schedule"]) == (function.definition.trigger is ScheduleFired), function.id


def test_every_trigger_is_in_the_catalogue() -> None:
    triggers = {function.definition.trigger for function in house().functions if function.definition}

    assert triggers <= set(CATALOGUE.values())


def test_schedules_have_times_that_come_in_zones_that_exist() -> None:
    assert schedules()
    for schedule, function in schedules():
        properties = schedule.properties
        timing = Timing(properties["ScheduleExpression"], properties["ScheduleExpressionTimezone"])

        assert len(list(islice(timing.after(datetime(2026, 1, 1, tzinfo=UTC)), 2))) == 2, function.id


def test_schedules_put_an_envelope_into_the_inbox() -> None:
    for schedule, function in schedules():
        text = schedule.properties["Target"]["Input"]

        envelope = Envelope.parse(text.replace(SCHEDULED_TIME, "2026-03-29T04:00:00Z"))

        assert envelope.name == ScheduleFired.event_name, function.id
        assert envelope.event_id == f"{function.id}/2026-03-29T04:00:00Z"
        fired = data_of(envelope, ScheduleFired)
        assert fired.schedule == schedule.identity.ref == function.id
        assert fired.scheduled_at == envelope.event_time == datetime(2026, 3, 29, 4, tzinfo=UTC)


def test_every_function_has_a_sample_and_every_sample_a_function() -> None:
    samples = {path.stem for path in (ROOT / "events").glob("*.json")}

    assert samples == {function.id for function in house().functions}


def test_every_sample_is_what_its_function_takes() -> None:
    for function, _, inbox in house().with_inbox:
        (record,) = sample(function)["Records"]

        assert record["eventSource"] == "aws:sqs", function.id
        assert record["eventSourceARN"].endswith(inbox.identity.attributes["QueueName"]), function.id
        if function.definition is None:
            StatusChange.model_validate_json(record["body"])
        else:
            envelope = Envelope.parse(record["body"])
            assert envelope.name == function.definition.trigger.event_name, function.id
            data_of(envelope, function.definition.trigger)

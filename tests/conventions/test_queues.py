"""Every trigger ends in an inbox, and nothing falls off its end unseen."""

from typing import Any, Final

from local.template.resolve import Resource
from shared.engine import Task
from tests.conventions.house import house

GRACE_SECONDS: Final = 30  # a task's message comes back this long after its worker was ended
SPARE_RECEIVES: Final = 2
PLATFORM_RECEIVES: Final = 20  # the ledger's inbox rides out an outage of the table instead of counting attempts


def dead_letters(inbox: Resource) -> Resource:
    queue = house().queue(inbox.properties["RedrivePolicy"]["deadLetterTargetArn"])
    assert queue, f"{inbox.logical_id}: its dead-letter queue is not in the template"
    return queue


def watched(metric: str) -> set[str]:
    """Return the names of the queues that have an alarm on `metric`."""
    return {
        dimension["Value"]
        for alarm in house().alarms
        if alarm.properties.get("MetricName") == metric
        for dimension in alarm.properties["Dimensions"]
    }


def deliveries() -> list[tuple[str, dict[str, Any]]]:
    """Return everything that EventBridge or the scheduler delivers to, with the name of what does."""
    rules = house().template.of_type("AWS::Events::Rule")
    schedules = house().template.of_type("AWS::Scheduler::Schedule")
    return [(rule.logical_id, target) for rule in rules for target in rule.properties["Targets"]] + [
        (schedule.logical_id, schedule.properties["Target"]) for schedule in schedules
    ]


def test_every_inbox_has_a_dead_letter_queue_of_its_own() -> None:
    queues = [dead_letters(inbox).logical_id for _, _, inbox in house().with_inbox]

    assert len(queues) == len(set(queues)) > 0


def test_dead_letters_outlive_their_inbox() -> None:
    # a moved message keeps its age, so an equal time would drop it on arrival
    for function, _, inbox in house().with_inbox:
        kept = dead_letters(inbox).properties["MessageRetentionPeriod"]

        assert kept > inbox.properties["MessageRetentionPeriod"], function.id


def test_every_inbox_and_every_last_resort_has_an_alarm() -> None:
    inboxes = {inbox.identity.attributes["QueueName"] for _, _, inbox in house().with_inbox}
    queues = {queue.identity.attributes["QueueName"] for queue in house().template.of_type("AWS::SQS::Queue")}

    assert inboxes <= watched("ApproximateAgeOfOldestMessage")
    assert queues - inboxes <= watched("ApproximateNumberOfMessagesVisible")


def test_every_alarm_is_told_to_somebody() -> None:
    topics = {topic.identity.ref for topic in house().template.of_type("AWS::SNS::Topic")}

    assert [alarm.logical_id for alarm in house().alarms if not set(alarm.properties["AlarmActions"]) & topics] == []


def test_a_message_stays_hidden_while_its_function_works() -> None:
    for function, mapping, inbox in house().with_inbox:
        visibility, batch = inbox.properties["VisibilityTimeout"], mapping.properties["BatchSize"]
        if isinstance(function.definition, Task):
            assert (visibility, batch) == (function.timeout + GRACE_SECONDS, 1), function.id
        else:
            assert visibility >= 6 * function.timeout, function.id
            assert batch <= 10, function.id


def test_every_inbox_is_polled_within_a_limit_and_answers_for_each_message() -> None:
    for function, mapping, _ in house().with_inbox:
        assert mapping.properties["ScalingConfig"]["MaximumConcurrency"] >= 2, function.id
        assert mapping.properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"], function.id


def test_sqs_gives_up_only_after_the_engine_has() -> None:
    for function, _, inbox in house().with_inbox:
        definition = function.definition
        expected = definition.attempts + SPARE_RECEIVES if definition else PLATFORM_RECEIVES

        assert inbox.properties["RedrivePolicy"]["maxReceiveCount"] == expected, function.id


def test_every_delivery_has_a_dead_letter_queue_and_an_end() -> None:
    assert deliveries()
    for name, target in deliveries():
        queue = house().queue(target["DeadLetterConfig"]["Arn"])

        assert queue, name
        assert queue.logical_id == "UndeliveredQueue", name
        assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 86_400, name


def test_every_queue_lets_in_the_rules_that_deliver_to_it() -> None:
    let_in: dict[str, set[str]] = {}
    for policy in house().template.of_type("AWS::SQS::QueuePolicy"):
        for statement in policy.properties["PolicyDocument"]["Statement"]:
            (sources,) = (condition["aws:SourceArn"] for condition in statement["Condition"].values())
            let_in.setdefault(statement["Resource"], set()).update([sources] if isinstance(sources, str) else sources)

    for rule in house().template.of_type("AWS::Events::Rule"):
        arn = rule.identity.attributes["Arn"]
        for target in rule.properties["Targets"]:
            for queue in {target["Arn"], target["DeadLetterConfig"]["Arn"]}:
                if house().queue(queue):
                    allowed = let_in.get(queue, set())
                    assert {arn, arn.rpartition("/")[0] + "/*"} & allowed, (rule.logical_id, queue)


def test_every_function_but_those_invoked_by_hand_has_an_inbox() -> None:
    assert [each.id for each in house().functions if not each.inbox] == ["platform-migrate"]

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.events import models as events

from local.aws import bus
from local.aws.bus import publish, publish_service_event

ACCOUNT = "123456789012"
REGION = "us-east-1"
EVERYTHING = {"source": [{"prefix": ""}]}


def let_in(service: str, action: str | list[str], resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": resource}


class Stage:
    """A bus of its own, with queues that rules fill."""

    def __init__(self, aws: Callable[[str], Any], name: str) -> None:
        self.events, self.sqs, self.logs = aws("events"), aws("sqs"), aws("logs")
        self.name = name
        self.events.create_event_bus(Name=name)

    def queue(self, suffix: str) -> tuple[str, str]:
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.name}-{suffix}"
        policy = {"Statement": [let_in("events.amazonaws.com", "sqs:SendMessage", arn)]}
        attributes = {"Policy": json.dumps(policy)}
        return self.sqs.create_queue(QueueName=f"{self.name}-{suffix}", Attributes=attributes)["QueueUrl"], arn

    def rule(self, suffix: str, pattern: dict[str, Any], *targets: dict[str, Any], **more: Any) -> None:
        bus = {"EventBusName": self.name} | {key: more.pop(key) for key in ("EventBusName",) if key in more}
        rule = f"{self.name}-{suffix}"
        self.events.put_rule(Name=rule, EventPattern=json.dumps(pattern), **bus, **more)
        numbered = [{"Id": str(number)} | target for number, target in enumerate(targets)]
        self.events.put_targets(Rule=rule, Targets=numbered, **bus)

    def put(self, *entries: dict[str, Any]) -> dict[str, Any]:
        whole = [
            {"EventBusName": self.name, "Source": "app", "DetailType": "a.b", "Detail": "{}"} | entry
            for entry in entries
        ]
        answer: dict[str, Any] = self.events.put_events(Entries=whole)
        return answer

    def messages(self, url: str) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
            VisibilityTimeout=43_200,
        )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def bodies(self, url: str) -> list[Any]:
        return [json.loads(message["Body"]) for message in self.messages(url)]


@pytest.fixture
def stage(aws: Callable[[str], Any], name: str) -> Stage:
    return Stage(aws, name)


def test_delivers_the_whole_event_with_the_id_that_it_answered(stage: Stage) -> None:
    url, arn = stage.queue("inbox")
    stage.rule("all", EVERYTHING, {"Arn": arn})
    when = datetime(2026, 3, 29, 4, 30, 15, tzinfo=UTC)

    answer = stage.put(
        {
            "DetailType": "alerts/cleanup",
            "Detail": '{"data": {"name": "Zoë"}}',
            "Time": when,
            "Resources": ["arn:x"],
        }
    )

    (message,) = stage.messages(url)
    assert answer["FailedEntryCount"] == 0
    assert list(json.loads(message["Body"]).items()) == [
        ("version", "0"),
        ("id", answer["Entries"][0]["EventId"]),
        ("detail-type", "alerts/cleanup"),
        ("source", "app"),
        ("account", ACCOUNT),
        ("time", "2026-03-29T04:30:15Z"),
        ("region", REGION),
        ("resources", ["arn:x"]),
        ("detail", {"data": {"name": "Zoë"}}),
    ]


def test_dates_an_event_without_a_time_now(stage: Stage) -> None:
    url, arn = stage.queue("inbox")
    stage.rule("all", EVERYTHING, {"Arn": arn})
    before = datetime.now(UTC).replace(microsecond=0)

    stage.put({})

    (event,) = stage.bodies(url)
    assert before <= datetime.fromisoformat(event["time"]) <= datetime.now(UTC)
    assert event["time"].endswith("Z")


def test_delivers_from_the_default_bus(stage: Stage) -> None:
    url, arn = stage.queue("inbox")
    stage.rule("own", {"source": [stage.name]}, {"Arn": arn}, EventBusName="default")

    answer = stage.put({"EventBusName": "default", "Source": stage.name}, {"Source": stage.name})

    assert [event["id"] for event in stage.bodies(url)] == [answer["Entries"][0]["EventId"]]


DETAIL = {"kind": "alert", "size": 5, "tags": ["a", "b"], "deep": {"gone": None}, "count": 0}


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ({"detail-type": ["a.b"]}, True),
        ({"detail-type": ["a.c"]}, False),
        ({"detail-type": ["x", "a.b"], "source": ["app"]}, True),
        ({"detail-type": ["a.b"], "source": ["other"]}, False),
        ({"detail-type": [{"prefix": "a."}]}, True),
        ({"detail-type": [{"prefix": "b."}]}, False),
        ({"detail-type": [{"suffix": ".b"}]}, True),
        ({"detail-type": [{"wildcard": "a*b"}]}, True),
        ({"detail-type": [{"equals-ignore-case": "A.B"}]}, True),
        ({"replay-name": [{"exists": False}]}, True),
        ({"replay-name": [{"exists": True}]}, False),
        ({"detail": {"kind": [{"exists": True}]}}, True),
        ({"detail": {"deep": {"gone": [None]}}}, True),
        ({"detail": {"deep": {"other": [{"exists": False}]}}}, True),
        ({"detail": {"kind": [{"anything-but": "alert"}]}}, False),
        ({"detail": {"kind": [{"anything-but": ["error", "log"]}]}}, True),
        ({"detail": {"kind": [{"anything-but": {"prefix": "al"}}]}}, False),
        ({"detail": {"missing": [{"anything-but": "x"}]}}, False),
        ({"detail": {"size": [{"numeric": [">", 4, "<=", 5]}]}}, True),
        ({"detail": {"size": [{"numeric": ["<", 5]}]}}, False),
        ({"detail": {"count": [0]}}, True),
        ({"detail": {"tags": ["b"]}}, True),
        ({"detail": {"tags": ["c"]}}, False),
        ({"$or": [{"source": ["other"]}, {"detail": {"kind": ["alert"]}}]}, True),
    ],
    ids=json.dumps,
)
def test_matches_as_eventbridge_does(stage: Stage, pattern: dict[str, Any], matches: bool) -> None:
    url, arn = stage.queue("inbox")
    stage.rule("one", pattern, {"Arn": arn})

    stage.put({"Detail": json.dumps(DETAIL)})

    assert len(stage.messages(url)) == int(matches)


def test_serves_no_rule_that_is_disabled_or_has_only_a_schedule(stage: Stage) -> None:
    url, arn = stage.queue("inbox")
    stage.rule("off", EVERYTHING, {"Arn": arn}, State="DISABLED")
    scheduled = f"{stage.name}-schedule"
    stage.events.put_rule(Name=scheduled, ScheduleExpression="rate(1 day)")
    stage.events.put_targets(Rule=scheduled, Targets=[{"Id": "0", "Arn": arn}])

    stage.put({}, {"EventBusName": "default"})

    assert stage.messages(url) == []


@pytest.mark.parametrize(
    ("group", "detail", "expected"),
    [
        ("fixed", {}, "fixed"),
        ("$.detail.data.organization_id", {"data": {"organization_id": "org-7"}}, "org-7"),
        ("$.detail.data.organization_id", {"data": {"organization_id": 7}}, "7"),
        ("$.detail.data.organization_id", {"data": {}}, None),
    ],
)
def test_sets_the_group_of_a_fair_queue(stage: Stage, group: str, detail: dict[str, Any], expected: str | None) -> None:
    url, arn = stage.queue("inbox")
    stage.rule("one", EVERYTHING, {"Arn": arn, "SqsParameters": {"MessageGroupId": group}})

    answer = stage.put({"Detail": json.dumps(detail)})

    (message,) = stage.messages(url)
    assert answer["FailedEntryCount"] == 0
    assert message["Attributes"].get("MessageGroupId") == expected


def test_sends_a_constant_or_a_part_of_the_event(stage: Stage) -> None:
    constant, constant_arn = stage.queue("constant")
    part, part_arn = stage.queue("part")
    stage.rule(
        "one",
        EVERYTHING,
        {"Arn": constant_arn, "Input": '{"fixed": 1}'},
        {"Arn": part_arn, "InputPath": "$.detail.data"},
    )

    stage.put({"Detail": '{"data": {"x": [1, 2]}}'})

    assert [message["Body"] for message in stage.messages(constant)] == ['{"fixed": 1}']
    assert [message["Body"] for message in stage.messages(part)] == ['{"x":[1,2]}']


def test_writes_events_to_a_log_group(stage: Stage) -> None:
    group = f"/aws/events/{stage.name}"
    stage.logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    policy = {"Statement": [let_in("events.amazonaws.com", actions, f"{arn}:*")]}
    stage.logs.put_resource_policy(policyName=stage.name, policyDocument=json.dumps(policy))
    stage.rule("log", EVERYTHING, {"Arn": arn}, {"Arn": f"{arn}:*"})

    answer = stage.put({"DetailType": "first"}, {"DetailType": "second"})

    written = [json.loads(event["message"]) for event in stage.logs.filter_log_events(logGroupName=group)["events"]]
    ids = [entry["EventId"] for entry in answer["Entries"]]
    assert sorted(event["id"] for event in written) == sorted(ids * 2)


def test_a_target_that_is_gone_stops_no_other_and_its_event_is_a_dead_letter(stage: Stage) -> None:
    url, arn = stage.queue("inbox")
    dead, dead_arn = stage.queue("undelivered")
    missing = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{stage.name}-missing"
    no_group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{stage.name}-missing"
    dead_letters = {"DeadLetterConfig": {"Arn": dead_arn}}
    stage.rule(
        "broken",
        EVERYTHING,
        {"Arn": missing} | dead_letters,
        {"Arn": no_group} | dead_letters,
        {"Arn": missing},
        {"Arn": arn},
    )
    stage.rule("later", EVERYTHING, {"Arn": arn})

    answer = stage.put({})

    event_id = answer["Entries"][0]["EventId"]
    assert answer["FailedEntryCount"] == 0
    assert [event["id"] for event in stage.bodies(url)] == [event_id] * 2
    buried = stage.messages(dead)
    assert [json.loads(message["Body"])["id"] for message in buried] == [event_id] * 2
    reasons = buried[0]["MessageAttributes"]
    assert reasons["TARGET_ARN"]["StringValue"] == missing
    assert reasons["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"
    assert reasons["RULE_ARN"]["StringValue"].endswith(f"{stage.name}-broken")


def test_asks_a_queues_policy_for_each_rule(stage: Stage) -> None:
    url, arn = stage.queue("inbox")
    dead, dead_arn = stage.queue("undelivered")
    only = {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{stage.name}/{stage.name}-meant"}}
    policy = {"Statement": [let_in("events.amazonaws.com", "sqs:SendMessage", arn) | {"Condition": only}]}
    stage.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    stage.rule("meant", {"detail-type": ["a"]}, {"Arn": arn})
    stage.rule("other", {"detail-type": ["b"]}, {"Arn": arn, "DeadLetterConfig": {"Arn": dead_arn}})

    answer = stage.put({"DetailType": "a"}, {"DetailType": "b"})

    delivered, refused = (entry["EventId"] for entry in answer["Entries"])
    assert [event["id"] for event in stage.bodies(url)] == [delivered]
    (letter,) = stage.messages(dead)
    assert json.loads(letter["Body"])["id"] == refused
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    assert letter["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"] == (
        f"User: events.amazonaws.com is not authorized to perform: sqs:sendmessage on resource: {arn} "
        "because no resource-based policy allows the sqs:sendmessage action"
    )


def test_a_dead_letter_queue_must_let_the_rule_in_too(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    dead, dead_arn = stage.queue("undelivered")
    stage.sqs.set_queue_attributes(QueueUrl=dead, Attributes={"Policy": ""})
    missing = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{stage.name}-missing"
    stage.rule("all", EVERYTHING, {"Arn": missing, "DeadLetterConfig": {"Arn": dead_arn}})

    stage.put({})

    assert stage.messages(dead) == []
    assert f"rule {stage.name}-all lost an event for {missing}" in caplog.text


@pytest.mark.parametrize(
    "target",
    [
        {"Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"},
        {"Arn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:m"},
        {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", "InputTransformer": {"InputTemplate": '"x"'}},
        {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", "InputPath": "$.detail[0]"},
        {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", "InputPath": "$.detail", "Input": "{}"},
        {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", "DeadLetterConfig": {"Arn": "arn:aws:sns:::t"}},
    ],
)
def test_refuses_a_target_that_it_could_not_serve(stage: Stage, target: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        stage.rule("one", EVERYTHING, target)

    assert stage.put({})["FailedEntryCount"] == 0


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"DetailType": "x" * 129}, "InvalidArgument"),
        ({"DetailType": ""}, "InvalidArgument"),
        ({"Source": ""}, "InvalidArgument"),
        ({"Detail": ""}, "InvalidArgument"),
        ({"Detail": "{"}, "MalformedDetail"),
        ({"Detail": "[1]"}, "MalformedDetail"),
        ({"Detail": '"text"'}, "MalformedDetail"),
        ({"Detail": '{"n": NaN}'}, "MalformedDetail"),
        ({"Source": "aws.states"}, "NotAuthorizedForSourceException"),
        ({"EventBusName": "no-such-bus"}, "ResourceNotFoundException"),
    ],
)
def test_refuses_one_entry_and_takes_the_others(stage: Stage, entry: dict[str, Any], code: str) -> None:
    url, arn = stage.queue("inbox")
    stage.rule("all", EVERYTHING, {"Arn": arn})

    answer = stage.put({"DetailType": "x" * 128}, entry, {})

    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][1]["ErrorCode"] == code
    assert answer["Entries"][1]["ErrorMessage"]
    delivered = [event["id"] for event in stage.bodies(url)]
    assert delivered == [answer["Entries"][0]["EventId"], answer["Entries"][2]["EventId"]]


def test_takes_entries_of_a_mebibyte_together_and_not_a_byte_more(stage: Stage) -> None:
    room = 1_048_576 - len("app" + "a.b" + '{"x":""}')
    fits = {"Detail": json.dumps({"x": "y" * room}, separators=(",", ":"))}
    half = {"Detail": json.dumps({"x": "é" * (room // 4)}, ensure_ascii=False)}

    assert stage.put(fits)["FailedEntryCount"] == 0
    for entries in ([fits, {"Detail": "{}"}], [half, half]):
        with pytest.raises(ClientError, match="over the limit"):
            stage.put(*entries)


def test_takes_ten_entries_a_call(stage: Stage) -> None:
    assert len(stage.put(*[{}] * 10)["Entries"]) == 10

    with pytest.raises(ClientError, match="ValidationException"):
        stage.put(*[{}] * 11)


def test_an_archive_keeps_matching_events_and_replays_them_under_its_name(stage: Stage) -> None:
    url, arn = stage.queue("inbox")
    stage.rule("all", EVERYTHING, {"Arn": arn})
    bus_arn = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{stage.name}"
    archive = stage.events.create_archive(
        ArchiveName=stage.name[-40:],
        EventSourceArn=bus_arn,
        EventPattern=json.dumps({"detail-type": ["kept"]}),
    )["ArchiveArn"]
    stage.put({"DetailType": "kept", "Detail": '{"n":1}'}, {"DetailType": "passed"})
    first = stage.bodies(url)

    stage.events.start_replay(
        ReplayName=stage.name,
        EventSourceArn=archive,
        EventStartTime=datetime(2020, 1, 1, tzinfo=UTC),
        EventEndTime=datetime(2090, 1, 1, tzinfo=UTC),
        Destination={"Arn": bus_arn},
    )

    replayed = stage.bodies(url)
    kept = stage.events.describe_archive(ArchiveName=stage.name[-40:])["EventCount"]
    assert [event["detail-type"] for event in first] == ["kept", "passed"]
    assert [(event["detail"], event["replay-name"]) for event in replayed] == [({"n": 1}, stage.name)]
    assert kept == 1


def test_publishes_what_an_aws_service_says_on_the_default_bus(stage: Stage) -> None:
    url, arn = stage.queue("inbox")
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{stage.name}"
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [machine]}}
    stage.rule("ended", pattern, {"Arn": arn}, EventBusName="default")
    detail = {"stateMachineArn": machine, "status": "FAILED"}

    publish_service_event("aws.states", "Step Functions Execution Status Change", [machine], detail)

    (event,) = stage.bodies(url)
    assert event["source"] == "aws.states"
    assert event["detail-type"] == "Step Functions Execution Status Change"
    assert (event["resources"], event["detail"]) == ([machine], detail)
    assert (event["account"], event["region"]) == (ACCOUNT, REGION)


def test_publishes_a_whole_event_as_it_is(stage: Stage) -> None:
    url, arn = stage.queue("inbox")
    stage.rule("own", {"source": [stage.name]}, {"Arn": arn}, EventBusName="default")
    event = {
        "version": "0",
        "id": "1",
        "detail-type": "Anything",
        "source": stage.name,
        "account": ACCOUNT,
        "time": "2026-01-01T00:00:00Z",
        "region": REGION,
        "resources": [],
        "detail": {},
    }

    publish(event)

    assert stage.bodies(url) == [event]


def test_installing_again_changes_nothing(stage: Stage) -> None:
    before = dict(vars(events.EventsBackend)), dict(vars(events.Rule))

    bus.install()

    assert (dict(vars(events.EventsBackend)), dict(vars(events.Rule))) == before

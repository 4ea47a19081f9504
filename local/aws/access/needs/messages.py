"""What the operations on queues, buses and topics need.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html and its neighbours
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from local.aws.access.needs.need import Need, on_everything, on_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.aws.access.calls import ApiCall
    from local.aws.access.needs.need import Rule

_ON_A_QUEUE: Final = (
    "AddPermission", "ChangeMessageVisibility", "DeleteMessage", "DeleteQueue", "GetQueueAttributes",
    "ListDeadLetterSourceQueues", "ListQueueTags", "PurgeQueue", "ReceiveMessage", "RemovePermission", "SendMessage",
    "SetQueueAttributes", "TagQueue", "UntagQueue",
)  # fmt: skip
_BATCHES: Final = ("ChangeMessageVisibility", "DeleteMessage", "SendMessage")


def _queue(operation: str) -> Rule:
    def rule(call: ApiCall) -> list[Need]:
        name = str(call.parameters.get("QueueUrl", "")).rpartition("/")[2]
        return [Need(f"sqs:{operation}", call.arn(name))]

    return rule


def _put_events(call: ApiCall) -> list[Need]:
    entries = call.parameters.get("Entries")
    buses = {entry.get("EventBusName") or "default" for entry in entries or [] if isinstance(entry, dict)}
    arns = (bus if bus.startswith("arn:") else call.arn(f"event-bus/{bus}") for bus in sorted(map(str, buses)))
    return [Need("events:PutEvents", arn) for arn in arns]


OPERATIONS: Final[Mapping[str, Mapping[str, Rule]]] = {
    "sqs": {
        **{operation: _queue(operation) for operation in _ON_A_QUEUE},
        # IAM has no action for a batch: it is many of the same
        **{f"{operation}Batch": _queue(operation) for operation in _BATCHES},
        "CreateQueue": on_parameter("sqs:CreateQueue", "QueueName"),
        "GetQueueUrl": on_parameter("sqs:GetQueueUrl", "QueueName"),
        "ListQueues": on_everything("sqs:ListQueues"),
    },
    "events": {
        "PutEvents": _put_events,
        "DescribeArchive": on_parameter("events:DescribeArchive", "ArchiveName", "archive/{}"),
        "DescribeEventBus": on_parameter("events:DescribeEventBus", "Name", "event-bus/{}"),
        "DescribeReplay": on_parameter("events:DescribeReplay", "ReplayName", "replay/{}"),
        "StartReplay": on_parameter("events:StartReplay", "ReplayName", "replay/{}"),
    },
    "sns": {
        "Publish": on_parameter("sns:Publish", "TopicArn"),
        "PublishBatch": on_parameter("sns:Publish", "TopicArn"),
    },
}

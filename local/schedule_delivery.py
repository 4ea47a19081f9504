"""Send what a schedule says to its target as the schedule's role may, else to its dead-letter queue.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from local.aws.access.authorize import check_role
from local.aws.access.errors import AccessDeniedError
from local.aws.access.needs.need import Need
from local.aws.queues import LocalQueue, find_queue
from local.permissions import SCHEDULER

if TYPE_CHECKING:
    from local.template.deployment import Schedule

logger = logging.getLogger(__name__)


def send(schedule: Schedule, body: str) -> None:
    """Send `body` for a schedule that is due. What cannot be sent is told and kept, and stops no other schedule."""
    try:
        _queue_for(schedule, schedule.target_arn).send(body)
    except Exception as error:  # noqa: BLE001 (whatever it is, the other schedules are served)
        _bury(schedule, body, error)


def _queue_for(schedule: Schedule, arn: str) -> LocalQueue:
    queue = find_queue(arn)
    check_role(schedule.role_arn, SCHEDULER, Need("sqs:SendMessage", arn))
    return queue


def _bury(schedule: Schedule, body: str, error: Exception) -> None:
    reason = str(error) or type(error).__name__
    logger.error("schedule %s could not send to %s: %s", schedule.name, schedule.target_arn, reason)
    if schedule.dead_letter_arn is None:
        return
    words = {
        "SCHEDULE_ARN": schedule.arn,
        "TARGET_ARN": schedule.target_arn,
        "ERROR_CODE": _error_code(error),
        "ERROR_MESSAGE": reason,
    }
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in words.items() if value}
    try:
        _queue_for(schedule, schedule.dead_letter_arn).send(body, message_attributes=attributes)
    except Exception:
        logger.exception("schedule %s lost what it was to send to %s", schedule.name, schedule.target_arn)


def _error_code(error: Exception) -> str:
    if isinstance(error, AccessDeniedError):
        return "AccessDenied"
    return "AWS.SimpleQueueService.NonExistentQueue" if isinstance(error, LookupError) else "InternalError"

"""Every night, ask for old error records to be cleaned up, with the retention that is configured."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from shared import aws
from shared.engine import Run, Task, emit
from shared.events.errors import CleanupOldErrors
from shared.events.schedule import ScheduleFired
from shared.observability import logger
from shared.settings import environment

DEFAULT_RETENTION_DAYS: Final = 90


class Configuration(BaseModel):
    """Where the retention is configured."""

    error_retention_parameter: str


class Prepared(BaseModel):
    """The retention that was asked for, in days; a text where the parameter holds no number."""

    retention_days: int | str


task = Task("errors-prepare-cleanup", trigger=ScheduleFired)


@task
def prepare_cleanup(_: ScheduleFired, run: Run) -> Prepared:
    """Put one event on the bus. Repeating it is safe: the event has the same id each time."""
    days = configured_retention()
    emit(run, [("cleanup", CleanupOldErrors.as_read(retention_days=days))])
    return Prepared(retention_days=days)


def configured_retention() -> int | str:
    """Return the retention from SSM as it stands there, good or bad; 90 days where none is configured."""
    from aws_lambda_powertools.utilities import parameters  # noqa: PLC0415 (130 ms, and only needed once a night)
    from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError  # noqa: PLC0415 (as above)

    ssm = aws.client("ssm")
    name = environment(Configuration).error_retention_parameter
    try:
        text = str(parameters.SSMProvider(boto3_client=ssm).get(name, force_fetch=True)).strip()
    except GetParameterError as error:
        if not isinstance(error.__context__, ssm.exceptions.ParameterNotFound):
            raise
        logger().info("no retention is configured", extra={"parameter": name, "default": DEFAULT_RETENTION_DAYS})
        return DEFAULT_RETENTION_DAYS
    return int(text) if text.isdecimal() else text


handler = task.handler

"""The handler that cold starts are compared with: what it may need is imported and made at the top, as is usual."""

from __future__ import annotations

from typing import Any

import boto3
import sqlalchemy.orm
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, idempotent_function

dynamodb = boto3.client("dynamodb")


def handler(_event: Any, _context: Any) -> Any:
    """Name what is imported. Nobody calls it: what counts is what had to be there first."""
    database = sqlalchemy.orm.Session
    observability = (Logger, Metrics)
    return database, observability, BatchProcessor, EventType, process_partial_response, _idempotency()


def _idempotency() -> Any:
    return idempotent_function, DynamoDBPersistenceLayer

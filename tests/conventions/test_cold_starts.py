"""What a function imports at a cold start, without a clock: benchmarks/cold_start.py has the times."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import pytest

from tests.conventions.house import ROOT, house

# boto3's resources and transfers nobody uses; the rest is loaded with a function's first transaction.
LATE = ("boto3", "s3transfer", "sqlalchemy", "pg8000", "alembic", "botocore.session")
IDS = [function.id for function in house().functions]


@cache
def imported_by(module: str) -> frozenset[str]:
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return frozenset(done.stdout.split())


@pytest.mark.parametrize("function", IDS)
def test_no_function_loads_at_its_start_what_it_may_not_need(function: str) -> None:
    [module] = [each.module_name for each in house().functions if each.id == function]

    assert imported_by(module).isdisjoint(LATE)


def test_the_first_client_and_transaction_load_no_object_mapper_and_no_boto3() -> None:
    program = (
        "import sys; from shared import aws, database; from shared.database import driver; aws.client('dynamodb');"
        "database.delete_in_chunks; database.tables.alerts; print(*sys.modules)"
    )
    env = os.environ | {"AWS_DEFAULT_REGION": "eu-west-1"}

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )

    loaded = done.stdout.split()
    assert "shared.database.driver" in loaded
    assert {"boto3", "s3transfer", "sqlalchemy.orm", "alembic"}.isdisjoint(loaded)

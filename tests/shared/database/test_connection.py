from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError

from shared.aws import forget_clients
from shared.database import Credentials, CredentialsError, DatabaseUnavailableError, configure, transaction
from shared.database import driver as under_test
from shared.database.tables import alerts
from shared.settings import SettingsError, forget_environment
from tests.database import alert, amount
from tests.shared.database.tls_front import TlsFront

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.postgres import Postgres

# Names this machine's loopback interface, but not in a way that we take for it: so it is treated as a network.
LOOPBACK_BY_ANOTHER_NAME = "127.1"


def test_commits_at_the_end_of_the_block(empty_database: str) -> None:
    with transaction() as connection:
        connection.execute(insert(alerts).values(alert()))

    assert amount(alerts) == 1


def test_rolls_back_when_the_block_raises(empty_database: str) -> None:
    def add_and_fail() -> None:
        with transaction() as connection:
            connection.execute(insert(alerts).values(alert()))
            raise LookupError

    with pytest.raises(LookupError):
        add_and_fail()

    assert amount(alerts) == 0


def test_a_read_only_transaction_refuses_to_write(empty_database: str) -> None:
    with pytest.raises(DBAPIError, match="read-only"), transaction(read_only=True) as connection:
        connection.execute(insert(alerts).values(alert()))


def test_the_next_transaction_may_write_again(empty_database: str) -> None:
    with transaction(read_only=True) as connection:
        connection.execute(text("SELECT 1"))

    with transaction() as connection:
        connection.execute(insert(alerts).values(alert()))

    assert amount(alerts) == 1


def test_leaves_no_connection_open(empty_database: str) -> None:
    with transaction() as connection:
        first = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()

    with transaction() as connection:
        # The server ends a process a moment after its client has gone: waiting for that is the statement's work.
        connection.execute(text(WAIT_FOR_END), {"pid": first})
        mine = connection.execute(text(OPEN_CONNECTIONS)).scalar_one()

    assert mine == 1


WAIT_FOR_END = """
    DO $$ BEGIN
        FOR attempt IN 1..500 LOOP
            PERFORM pg_stat_clear_snapshot();
            EXIT WHEN (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'nightshift') = 1;
            PERFORM pg_sleep(0.01);
        END LOOP;
    END $$
"""
OPEN_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'nightshift'"


def test_an_error_does_not_repeat_the_parameters(empty_database: str) -> None:
    statement = text("SELECT 1 / CAST(:zero AS integer), :name")

    with pytest.raises(DBAPIError, match="division by zero") as caught, transaction() as connection:
        connection.execute(statement, {"zero": 0, "name": "Secret Customer"})

    assert "Secret Customer" not in str(caught.value)


def test_an_unreachable_database_is_an_error_without_the_password(empty_database: str) -> None:
    configure("postgresql://somebody:hunter2@127.0.0.1:1/nowhere")

    with pytest.raises(DatabaseUnavailableError, match=r"cannot reach 127\.0\.0\.1:1/nowhere") as caught, transaction():
        pass

    assert "hunter2" not in repr(caught.value)


def test_a_refused_login_is_an_error_without_the_password(empty_database: str) -> None:
    configure(empty_database.replace("postgresql://nightshift:", "postgresql://nightshift:hunter2"))

    with pytest.raises(DatabaseUnavailableError, match="password authentication failed") as caught, transaction():
        pass

    assert "hunter2" not in repr(caught.value)


def test_a_connection_that_the_server_ends_is_an_unavailable_database(empty_database: str) -> None:
    with pytest.raises(DatabaseUnavailableError), transaction() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    assert amount(alerts) == 0


def test_a_slow_statement_is_not_cut_off_by_the_connect_time_out(empty_database: str) -> None:
    with transaction() as connection:
        link = connection.connection.dbapi_connection

        assert link is not None
        assert link._usock.gettimeout() is None


def test_importing_reads_no_environment() -> None:
    command = "import shared.database, shared.database.migrate"

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", command], env={"PYTHONPATH": os.curdir}, capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_SECRET_ARN", raising=False)
    forget_environment()

    with pytest.raises(SettingsError, match="DATABASE_SECRET_ARN"), transaction():
        pass


@pytest.fixture
def stored(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The ARN of a secret with the database's login, as RDS writes it; this process is told no more than the ARN."""
    with mock_aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        _forget()
        secrets = boto3.client("secretsmanager", region_name="us-east-1")
        value = json.dumps(Credentials.from_url(database_url).secret)
        arn = secrets.create_secret(Name="database", SecretString=value)["ARN"]
        monkeypatch.setenv("DATABASE_SECRET_ARN", arn)
        yield arn
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    forget_environment()
    forget_clients()
    configure(None)


def test_logs_in_with_the_secret(stored: str) -> None:
    with transaction() as connection:
        user = connection.execute(text("SELECT current_user")).scalar_one()

    assert user == "nightshift"


def test_asks_for_the_secret_once_in_a_while(stored: str) -> None:
    with transaction():
        pass
    boto3.client("secretsmanager", region_name="us-east-1").delete_secret(SecretId=stored)

    with transaction() as connection:
        answer = connection.execute(text("SELECT 1")).scalar_one()

    assert answer == 1


def test_a_secret_that_is_no_database_login_is_named_without_its_values(stored: str) -> None:
    boto3.client("secretsmanager", region_name="us-east-1").put_secret_value(
        SecretId=stored, SecretString='{"username": "u", "password": "hunter2", "port": "hunter3"}'
    )

    with pytest.raises(CredentialsError, match=r"port.*host.*dbname|host.*port.*dbname") as caught, transaction():
        pass

    assert "hunter" not in repr(caught.value)


def test_sends_no_login_over_a_network_without_tls(empty_database: str) -> None:
    configure(empty_database.replace("127.0.0.1", LOOPBACK_BY_ANOTHER_NAME))

    with pytest.raises(DatabaseUnavailableError, match="refuses SSL"), transaction():
        pass


@pytest.fixture
def front(postgres: Postgres, tmp_path: Path) -> Iterator[TlsFront]:
    """What speaks TLS for the server, with a certificate that no authority vouches for."""
    with TlsFront(tmp_path, LOOPBACK_BY_ANOTHER_NAME, ("127.0.0.1", postgres.port)) as server:
        yield server


@pytest.fixture
def authorities(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A process that was told which authorities to trust, and forgets it after the test."""
    forget_environment()
    under_test._tls.cache_clear()
    yield monkeypatch
    forget_environment()
    under_test._tls.cache_clear()


def test_refuses_a_server_that_no_trusted_authority_vouches_for(
    empty_database: str, postgres: Postgres, front: TlsFront, authorities: pytest.MonkeyPatch
) -> None:
    configure(_through(front, postgres))

    with pytest.raises(DatabaseUnavailableError) as caught, transaction():
        pass

    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


def test_encrypts_to_a_server_that_the_ca_bundle_vouches_for(
    empty_database: str, postgres: Postgres, front: TlsFront, authorities: pytest.MonkeyPatch
) -> None:
    authorities.setenv("DATABASE_CA_BUNDLE", str(front.certificate))
    configure(_through(front, postgres))

    with transaction() as connection:
        connection.execute(insert(alerts).values(alert()))

    configure(empty_database)
    assert (front.encrypted, amount(alerts)) == (1, 1)


def _through(front: TlsFront, postgres: Postgres) -> str:
    moved = {"host": LOOPBACK_BY_ANOTHER_NAME, "port": front.port}
    return postgres.credentials.model_copy(update=moved).url

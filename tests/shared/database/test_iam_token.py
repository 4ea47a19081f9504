from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from sqlalchemy import text

from shared.database import CredentialsError, DatabaseUnavailableError, transaction
from shared.database import driver as under_test
from shared.database.iam_token import forget_role, iam_token
from shared.settings import forget_environment
from tests.shared.database.kept_secret import KeptSecret, kept_secret
from tests.shared.database.rds_front import RdsFront

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.postgres import Postgres

USER = "with_iam"


@pytest.fixture
def front(postgres: Postgres, migrated_url: str, tmp_path: Path) -> Iterator[RdsFront]:
    """A door as RDS has it, before a server that trusts it with its user."""
    rules = postgres._cluster / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"host all {USER} 127.0.0.1/32 trust\n{before}")
    reload(postgres)
    postgres.run(f"CREATE ROLE {USER} LOGIN")
    with RdsFront(tmp_path, "localhost", ("127.0.0.1", postgres.port)) as door:
        yield door
    postgres.run(f"DROP ROLE {USER}")
    rules.write_text(before)
    reload(postgres)


def reload(postgres: Postgres) -> None:
    """Let the server read its rules again; it does so a moment after it was told."""
    read_at = "SELECT pg_conf_load_time()"
    before = postgres.run(read_at)
    postgres.run("SELECT pg_reload_conf()")
    for _ in range(1000):
        if postgres.run(read_at) != before:
            return
        postgres.run("SELECT pg_sleep(0.01)")
    pytest.fail("the server does not read its rules")


@pytest.fixture
def place(front: RdsFront, postgres: Postgres) -> dict[str, object]:
    """Where the database is, without a login."""
    return {"host": "127.0.0.1", "port": front.port, "dbname": postgres.credentials.dbname}


@pytest.fixture
def secret(front: RdsFront, place: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> Iterator[KeptSecret]:
    """A secret that only says where, for a process that was told to log in with IAM."""
    monkeypatch.setenv("DATABASE_IAM_LOGIN", f"db-ABCDEFGHIJKL01234/{USER}")
    monkeypatch.setenv("DATABASE_CA_BUNDLE", str(front.certificate))
    under_test._tls.cache_clear()
    with kept_secret(monkeypatch, place) as kept:
        yield kept
    under_test._tls.cache_clear()


def work() -> str:
    with transaction() as connection:
        return str(connection.execute(text("SELECT current_user")).scalar_one())


def test_the_token_reaches_the_server_as_the_password_within_tls(secret: KeptSecret, front: RdsFront) -> None:
    assert work() == USER

    (attempt,) = front.attempts
    token = urlsplit(f"https://{attempt.token}")
    said = {name: values[0] for name, values in parse_qs(token.query).items()}
    assert (attempt.user, front.encrypted) == (USER, 1)
    assert token.netloc == f"127.0.0.1:{front.port}"
    assert (said["Action"], said["DBUser"], said["X-Amz-Expires"]) == ("connect", USER, "900")
    assert said["X-Amz-Credential"].endswith("/us-east-1/rds-db/aws4_request")


def test_a_password_in_the_secret_stays_there(secret: KeptSecret, place: dict[str, object], front: RdsFront) -> None:
    secret.put(place | {"username": "admin", "password": "hunter2"})

    assert work() == USER
    assert "hunter2" not in front.attempts[0].token


def test_a_refused_token_is_followed_by_one_more_and_then_by_an_error(secret: KeptSecret, front: RdsFront) -> None:
    front.accepts = False

    with pytest.raises(DatabaseUnavailableError, match="PAM authentication failed") as caught:
        work()

    assert [len(front.attempts), secret.reads] == [2, 2]
    assert "X-Amz-Signature" not in repr(caught.value)


def test_a_token_is_not_sent_to_a_server_without_tls(
    secret: KeptSecret, place: dict[str, object], postgres: Postgres, front: RdsFront
) -> None:
    secret.put(place | {"port": postgres.port})

    with pytest.raises(DatabaseUnavailableError, match="refuses SSL"):
        work()


def test_a_secret_that_does_not_say_where_is_named(secret: KeptSecret) -> None:
    secret.put({"username": "admin", "password": "hunter2"})

    with pytest.raises(CredentialsError, match="host, dbname"):
        work()


@pytest.fixture
def role(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The credentials of a Lambda's role, which have a session token."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "session/+=",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    forget_role()
    forget_environment()
    yield
    forget_role()


@pytest.mark.parametrize("user", ["nightshift", "night.shift", "a b+c/d"])
def test_the_token_is_the_one_that_boto3_makes(role: None, user: str) -> None:
    client = boto3.client("rds")

    def both() -> tuple[str, str]:
        return iam_token("db.example", 5432, user), client.generate_db_auth_token("db.example", 5432, user)

    # both sign the second in which they are asked: the next try is within one
    assert any(ours == theirs for ours, theirs in (both() for _ in range(3)))

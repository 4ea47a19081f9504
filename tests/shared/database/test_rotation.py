"""A secret that is rotated while the process is warm, and the moments in which secret and database disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from shared.database import DatabaseUnavailableError, configure, transaction
from tests.shared.database.kept_secret import KeptSecret, kept_secret
from tests.shared.database.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.postgres import Postgres

OLD, NEW = "the old password", "the new password"


class Role:
    """A user of the database whose password the test changes."""

    def __init__(self, postgres: Postgres, port: int) -> None:
        self._postgres = postgres
        self._login = postgres.credentials.model_copy(update={"username": "rotated", "port": port})

    def takes(self, password: str) -> None:
        self._postgres.run(f"ALTER ROLE rotated PASSWORD '{password}'")

    def alter(self, change: str) -> None:
        self._postgres.run(f"ALTER ROLE rotated {change}")

    def secret(self, password: str) -> dict[str, str | int]:
        return self._login.model_copy(update={"password": SecretStr(password)}).secret


@pytest.fixture
def wire(postgres: Postgres, migrated_url: str) -> Iterator[Wire]:
    """The way from this process to the server."""
    with Wire(("127.0.0.1", postgres.port)) as between:
        yield between


@pytest.fixture
def role(postgres: Postgres, wire: Wire) -> Iterator[Role]:
    """A user who logs in with the old password."""
    postgres.run(f"CREATE ROLE rotated LOGIN PASSWORD '{OLD}'")
    yield Role(postgres, wire.port)
    postgres.run("DROP ROLE rotated")


@pytest.fixture
def secret(role: Role, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeptSecret]:
    """The secret with the old password."""
    with kept_secret(monkeypatch, role.secret(OLD)) as kept:
        yield kept


def work() -> str:
    with transaction() as connection:
        return str(connection.execute(text("SELECT current_user")).scalar_one())


def test_a_warm_process_notices_a_rotation(role: Role, secret: KeptSecret) -> None:
    work()
    role.takes(NEW)
    secret.put(role.secret(NEW))

    done = [work(), work()]

    assert (done, secret.reads) == (["rotated"] * 2, 2), "the second is done with what the first has found"


def test_while_the_database_is_ahead_it_asks_once_more_and_then_says_so(
    role: Role, secret: KeptSecret, wire: Wire
) -> None:
    work()
    role.takes(NEW)

    with pytest.raises(DatabaseUnavailableError, match="password authentication failed") as caught:
        work()

    assert (secret.reads, len(wire.sessions())) == (2, 3)
    assert OLD not in repr(caught.value)


def test_as_soon_as_the_secret_follows_the_work_goes_on(role: Role, secret: KeptSecret) -> None:
    work()
    role.takes(NEW)
    with pytest.raises(DatabaseUnavailableError):
        work()

    secret.put(role.secret(NEW))

    assert work() == "rotated"


def test_while_the_secret_is_ahead_who_knows_the_old_one_works_on(role: Role, secret: KeptSecret) -> None:
    work()

    secret.put(role.secret(NEW))

    assert (work(), secret.reads) == ("rotated", 1)


def test_while_the_secret_is_ahead_a_new_process_says_so_until_the_database_follows(
    role: Role, secret: KeptSecret
) -> None:
    secret.put(role.secret(NEW))
    with pytest.raises(DatabaseUnavailableError):
        work()

    role.takes(NEW)

    assert (work(), secret.reads) == ("rotated", 2)


def test_every_unit_of_work_asks_at_most_once(role: Role, secret: KeptSecret) -> None:
    work()
    role.takes(NEW)

    for _ in range(3):
        with pytest.raises(DatabaseUnavailableError):
            work()

    assert secret.reads == 1 + 3


def test_a_role_that_may_not_log_in_is_asked_about_once_too(role: Role, secret: KeptSecret) -> None:
    role.alter("NOLOGIN")

    with pytest.raises(DatabaseUnavailableError, match="not permitted to log in"):
        work()

    assert secret.reads == 2


def test_another_refusal_is_no_reason_to_ask(role: Role, secret: KeptSecret) -> None:
    secret.put(role.secret(OLD) | {"dbname": "nowhere"})

    with pytest.raises(DatabaseUnavailableError, match="does not exist"):
        work()

    assert secret.reads == 1


def test_a_password_that_was_given_in_a_url_is_not_looked_up_elsewhere(
    role: Role, secret: KeptSecret, postgres: Postgres
) -> None:
    configure(postgres.credentials.model_copy(update={"password": SecretStr("wrong")}).url)

    with pytest.raises(DatabaseUnavailableError):
        work()

    assert secret.reads == 0

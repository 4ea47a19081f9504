from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError

from shared.settings import SettingsError, environment, forget_environment, settings


class Retry(BaseModel):
    retry_seconds: int
    retry_note: str = "-"


@pytest.fixture(autouse=True)
def _fresh_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("INBOX_URL", "DEAD_LETTERS_URL", "STATE_MACHINE_ARN", "DATABASE_SECRET_ARN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"STACK_NAME": "here", "EVENT_BUS_NAME": "here", "LEDGER_TABLE": "here_ledger"}.items():
        monkeypatch.setenv(name, value)
    forget_environment()
    yield
    forget_environment()


def test_reads_a_field_from_the_variable_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INBOX_URL", "http://queue")

    known = settings()

    assert (known.stack_name, known.ledger_table, known.inbox_url) == ("here", "here_ledger", "http://queue")


def test_what_only_some_functions_get_is_empty_elsewhere() -> None:
    known = settings()

    assert {known.inbox_url, known.dead_letters_url, known.state_machine_arn, known.database_secret_arn} == {""}


def test_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings().stack_name = "there"  # type: ignore[misc] # mypy knows that it cannot


def test_names_every_variable_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STACK_NAME")
    monkeypatch.delenv("LEDGER_TABLE")

    with pytest.raises(SettingsError) as refused:
        settings()

    assert str(refused.value) == "environment: STACK_NAME: Field required; LEDGER_TABLE: Field required"


def test_does_not_repeat_the_value_of_a_variable_that_does_not_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRY_SECONDS", "hunter2")

    with pytest.raises(SettingsError) as refused:
        environment(Retry)

    assert str(refused.value).startswith("environment: RETRY_SECONDS: Input should be a valid integer")
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_reads_what_a_domain_declares_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRY_SECONDS", "15")

    assert environment(Retry) == Retry(retry_seconds=15)


def test_reads_the_environment_once_until_it_is_told_to_forget_it(monkeypatch: pytest.MonkeyPatch) -> None:
    first = settings()
    monkeypatch.setenv("STACK_NAME", "there")

    assert settings() is first

    forget_environment()

    assert settings().stack_name == "there"


def test_tries_again_once_what_was_missing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="RETRY_SECONDS"):
        environment(Retry)
    monkeypatch.setenv("RETRY_SECONDS", "15")

    assert environment(Retry).retry_seconds == 15

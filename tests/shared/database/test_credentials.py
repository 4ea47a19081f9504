from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from shared.database import Credentials, CredentialsError

words = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F), min_size=1, max_size=20)


def login(**overrides: object) -> Credentials:
    given = {"username": "u", "password": SecretStr("p"), "host": "db.example", "port": 5432, "dbname": "d"}
    return Credentials.model_validate(given | overrides)


@given(words, words, words)
def test_a_url_brings_back_what_it_was_made_of(username: str, password: str, dbname: str) -> None:
    credentials = login(username=username, password=SecretStr(password), dbname=dbname)

    assert Credentials.from_url(credentials.url) == credentials


@given(words, words)
def test_a_secret_brings_back_what_it_was_made_of(username: str, password: str) -> None:
    credentials = login(username=username, password=SecretStr(password))

    assert Credentials.from_secret(credentials.secret) == credentials


def test_a_port_may_be_written_as_text() -> None:
    secret = login().secret | {"port": "6543"}

    assert Credentials.from_secret(secret).port == 6543


@pytest.mark.parametrize("value", [None, [], "text", {}, {"username": "u", "password": "hunter2"}])
def test_what_is_no_login_is_refused_without_repeating_it(value: object) -> None:
    with pytest.raises(CredentialsError) as caught:
        Credentials.from_secret(value)

    assert "hunter2" not in repr(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "hunter2", "mysql://u:hunter2@h/d", "postgresql://", "postgresql://u:hunter2@h:port/d", "postgresql:///d"],
)
def test_a_url_of_something_else_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        Credentials.from_url(url)

    assert "hunter2" not in repr(caught.value)


def test_neither_text_nor_repr_shows_the_password() -> None:
    credentials = login(password=SecretStr("hunter2"))

    assert "hunter2" not in f"{credentials} {credentials!r}"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("10.0.0.1", False), ("localhost.evil.example", False)],
)
def test_knows_when_there_is_no_wire_to_encrypt(host: str, *, loopback: bool) -> None:
    assert login(host=host).is_loopback is loopback

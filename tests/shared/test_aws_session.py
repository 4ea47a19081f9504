from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import UnknownServiceError
from botocore.session import Session

from shared.aws_session import JsonFiles, make_session

SERVICES = ("dynamodb", "events", "s3", "scheduler", "secretsmanager", "sqs", "ssm", "stepfunctions")


@pytest.mark.parametrize("service", SERVICES)
def test_reads_of_a_service_what_botocore_reads(service: str) -> None:
    ours, theirs = (session.get_component("data_loader") for session in (make_session(), Session()))

    for kind in ("service-2", "endpoint-rule-set-1", "paginators-1"):
        assert ours.load_service_model(service, kind) == theirs.load_service_model(service, kind)


@pytest.mark.parametrize("service", SERVICES)
def test_makes_the_client_that_botocore_makes(service: str) -> None:
    made: list[Any] = [
        session.create_client(service, "eu-west-1", aws_access_key_id="key", aws_secret_access_key="secret")
        for session in (make_session(), Session())
    ]

    ours, theirs = (
        (client.meta.endpoint_url, client.meta.config.signature_version, client.meta.method_to_api_mapping)
        for client in made
    )
    assert ours == theirs


def test_refuses_a_service_that_there_is_not() -> None:
    with pytest.raises(UnknownServiceError):
        make_session().create_client("no-such-service", "eu-west-1")


def test_finds_models_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mine" / "2026-01-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps({"metadata": {"apiVersion": "2026-01-01"}}))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))

    model = make_session().get_component("data_loader").load_service_model("mine", "service-2")

    assert model == {"metadata": {"apiVersion": "2026-01-01"}}


def test_reads_json_compressed_or_not(tmp_path: Path) -> None:
    (tmp_path / "plain.json").write_text('{"b": [1, 2.5, null], "a": "ä"}')
    (tmp_path / "small.json.gz").write_bytes(gzip.compress(b'{"b": true}'))
    files = JsonFiles()

    read = [files.load_file(str(tmp_path / name)) for name in ("plain", "small", "missing")]

    assert read == [{"b": [1, 2.5, None], "a": "ä"}, {"b": True}, None]
    assert [files.exists(str(tmp_path / name)) for name in ("plain", "small", "missing")] == [True, True, False]


def test_takes_credentials_from_the_environment_and_else_from_where_botocore_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = filed\naws_secret_access_key = secret\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "told")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")

    told = make_session().get_credentials()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    filed = make_session().get_credentials()

    assert told is not None
    assert (told.access_key, told.token) == ("told", "token")
    assert filed is not None
    assert filed.access_key == "filed"

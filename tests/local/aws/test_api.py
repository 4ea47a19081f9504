import json
from typing import Any

import pytest
from moto.core.request import Request

from local.aws.api import Api, ApiRequest
from local.aws.server import AwsServer


def request(**overrides: Any) -> ApiRequest:
    values: dict[str, Any] = {
        "method": "GET", "target": "/", "headers": (), "body": b"", "host": "127.0.0.1", "port": 9,
    } | overrides  # fmt: skip
    return ApiRequest(**values)


def test_keeps_the_path_as_it_was_sent_beside_its_characters() -> None:
    environ = request(target="/a%20b/%C3%BC%2Fc?x=1&y").environ()

    read = Request(environ)
    assert (read.path, read.raw_path) == ("/a b/ü/c", "/a%20b/%C3%BC%2Fc")
    assert read.query_string == b"x=1&y"


def test_joins_a_header_that_comes_twice() -> None:
    environ = request(headers=(("X-Amz-Meta-A", "1"), ("x-amz-meta-a", "2"), ("Content-Type", "text/plain"))).environ()

    assert environ["HTTP_X_AMZ_META_A"] == "1,2"
    assert environ["CONTENT_TYPE"] == "text/plain"


def test_lets_no_underscore_stand_in_for_a_dash() -> None:
    headers = (("Authorization", "real"), ("X_Amz_Target", "forged"), ("x-amz-meta-my_key", "kept"))

    read = Request(request(headers=headers).environ())

    assert "X-Amz-Target" not in read.headers
    assert dict(read.headers)["x-amz-meta-my_key"] == "kept"


@pytest.mark.parametrize("length", ["99", "0"])
def test_believes_the_body_and_not_the_length_that_a_client_told(length: str) -> None:
    environ = request(body=b"abc", headers=(("Content-Length", length),)).environ()

    assert environ["CONTENT_LENGTH"] == "3"
    assert environ["wsgi.input"].read() == b"abc"


def test_answers_what_names_no_service_as_moto_does(server: AwsServer) -> None:
    answer = Api().answer(request(target="/moto-api/data.json"))

    assert answer.status == 200
    assert isinstance(json.loads(answer.body), dict)

from pathlib import Path
from typing import Any

import pytest
from moto.core import utils
from moto.core.loaders import create_loader

from local.aws.server import AwsServer


@pytest.mark.parametrize("service", ["dynamodb", "sqs", "s3", "secretsmanager", "ssm", "stepfunctions"])
def test_reads_what_motos_own_loader_reads(server: AwsServer, service: str) -> None:
    read: Any = utils.create_loader().load_service_model(service, "service-2")

    assert read == create_loader().load_service_model(service, "service-2")


def test_looks_into_no_folder_but_the_services_own(server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    loader = utils.create_loader()
    exists = loader.file_loader.exists
    monkeypatch.setattr(loader.file_loader, "exists", lambda path: looked.append(path) or exists(path))
    loader._cache.clear()

    loader.load_service_model("scheduler", "service-2")

    assert utils.create_loader() is loader
    assert {Path(path).parts[-3] for path in looked} == {"scheduler"}

"""Let moto read the models of AWS's services as quickly as the functions do."""

from __future__ import annotations

from functools import cache

from moto.core import loaders, utils

from shared.aws_session import JsonFiles, ServiceData


class MotoServiceData(ServiceData, loaders.Loader):  # type: ignore[misc]  # moto ships no types
    """Finds a service by its folder, and adds moto's own extras to its model."""


@cache
def install() -> None:
    """Make one loader for all of moto, which finds a service by its folder.

    moto 5.2.5: each service's first request makes a new loader, which looks through the folders of all 400 services:
    20 ms for each of the ten that a stack uses, and as long again for what it parses.
    """
    utils.create_loader = _loader


@cache
def _loader() -> MotoServiceData:
    return MotoServiceData([loaders.moto_root], JsonFiles())

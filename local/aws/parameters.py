"""Start SSM's parameters without loading all of EC2, which the local stack does not have."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from types import ModuleType
from typing import Any

_EC2 = "moto.ec2"
_SSM = "moto.ssm.models"


class LaterEc2:
    """Stands for moto's EC2 backends until somebody asks for one."""

    def __getitem__(self, account: str) -> Any:
        return importlib.import_module(_EC2).ec2_backends[account]


@cache
def install() -> None:
    """Import moto's SSM with a stand-in for EC2, which loads when it is first used.

    moto 5.2.5: SSM imports EC2 and its tables of machine types, 0.8 s on the first call, only to
    find machines by tag for SendCommand.
    """
    if _EC2 in sys.modules or _SSM in sys.modules:
        return
    stand_in = ModuleType(_EC2)
    stand_in.ec2_backends = LaterEc2()  # type: ignore[attr-defined]  # made up here
    sys.modules[_EC2] = stand_in
    try:
        importlib.import_module(_SSM)
    finally:
        del sys.modules[_EC2]

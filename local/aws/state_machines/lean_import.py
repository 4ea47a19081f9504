"""Load moto's Step Functions parser in a third of its time, without EC2, ECS and Batch."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType


def load_parser_without_batch() -> None:
    """Import the parser while a stand-in takes the place of `moto.batch`.

    moto 5.2.5: `asl/.../state_task_service_batch.py` imports `moto.batch.utils.JobStatus`, and
    `moto.batch` imports moto.ec2 and moto.ecs: over a second, for the names of job states that
    only a `batch:submitJob.sync` task looks at. The stand-in leaves with the end of the import, so a later
    import of moto.batch gets the real one.
    """
    names = ("moto.batch", "moto.batch.utils")
    if "moto.stepfunctions.parser.models" in sys.modules or names[0] in sys.modules:
        return
    package, utils = (ModuleType(name) for name in names)
    vars(utils)["JobStatus"] = _JobStatus
    sys.modules.update(zip(names, (package, utils), strict=True))
    try:
        importlib.import_module("moto.stepfunctions.parser.models")
    finally:
        for name in names:
            del sys.modules[name]


class _JobStatus:
    """The two ends of a Batch job that the parser compares with."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


load_parser_without_batch()

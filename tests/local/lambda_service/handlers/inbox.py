"""Handlers of SQS batches."""

import json
import os
import time
from pathlib import Path
from typing import Any


def remember(event: Any, context: Any) -> None:
    """Write what arrived, one file a call."""
    directory = Path(os.environ["DIRECTORY"])
    partial = directory / f"{context.aws_request_id}.partial"
    partial.write_text(json.dumps(event))
    partial.rename(directory / f"{context.aws_request_id}.json")


def answer(event: Any, context: Any) -> Any:
    """Answer what the first body says."""
    remember(event, context)
    return json.loads(event["Records"][0]["body"])


def judge(event: Any, context: Any) -> dict[str, Any]:
    """Report the messages whose body says `bad`; end the process for `poison`; raise for `raise`."""
    remember(event, context)
    failures: list[dict[str, str]] = []
    for record in event["Records"]:
        match record["body"]:
            case "poison":
                os._exit(1)
            case "raise":
                raise RuntimeError("the whole batch")
            case "bad":
                failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def wait(event: Any, context: Any) -> None:
    directory = Path(os.environ["DIRECTORY"])
    (directory / f"running-{context.aws_request_id}").touch()
    while not (directory / "go").exists():
        time.sleep(0.005)
    remember(event, context)

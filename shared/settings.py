"""The environment as typed values, read once at first use."""

from __future__ import annotations

import os
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

T = TypeVar("T", bound=BaseModel)
_known: dict[type[BaseModel], BaseModel] = {}


class SettingsError(RuntimeError):
    """A variable that this process needs is missing or malformed; the message names it."""


class Settings(BaseModel):
    """What `template.yaml` tells every function. A value that only some functions get is empty elsewhere."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stack_name: str
    event_bus_name: str
    ledger_table: str
    flow_table: str = ""
    idempotency_table: str = ""
    payload_bucket: str = ""
    inbox_url: str = ""
    dead_letters_url: str = ""
    state_machine_arn: str = ""
    state_machine_prefix: str = ""  # what every workflow's machine ARN begins with; its function's id follows
    registry_path: str = ""  # where another registry than the shipped one is
    database_secret_arn: str = ""

    def inbox_of(self, function: str) -> str:
        """Return the URL of a function's inbox: beside this function's own, under the name that every inbox has."""
        return f"{self.inbox_url.rpartition('/')[0]}/{self.stack_name}_{function}"


def environment(model: type[T]) -> T:
    """Return the environment as `model`: a field `inbox_url` is the variable `INBOX_URL`.

    A domain declares its own frozen model for variables that only its functions get.

    Raises:
        SettingsError: a variable is missing or does not parse; values are not repeated in the message.
    """
    known = _known.get(model)
    if not isinstance(known, model):
        known = _known[model] = _read(model)
    return known


def forget_environment() -> None:
    """Read the environment again at the next use: for a process whose environment changes, as a test's does."""
    _known.clear()


def _read(model: type[T]) -> T:
    values = {name.lower(): value for name, value in os.environ.items()}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors())
        raise SettingsError(f"environment: {problems}") from None


def settings() -> Settings:
    """Return what every function of the stack is told."""
    return environment(Settings)

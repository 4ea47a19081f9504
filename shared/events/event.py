"""What every typed event of the catalogue is."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """The data of one named event.

    Fields take and emit the sender's own names (a pydantic alias where they are not snake_case). Fields that a model
    does not know are ignored, so that a sender may add one before its receivers learn of it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    event_name: ClassVar[str]

    @classmethod
    def as_read(cls, **values: Any) -> Self:
        """Return an event that carries `values` as they were read, valid or not.

        A prepare step uses it to pass values on: the function that receives a bad one refuses it, and its neighbours
        go on.
        """
        return cls.model_construct(**values)  # type: ignore[return-value] # the plugin says Event

    def data(self) -> dict[str, Any]:
        """Return the event's data as JSON types, under the names that travel."""
        return self.model_dump(mode="json", by_alias=True, warnings=False)

"""How long records may be kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

RetentionDays = Annotated[int, Field(strict=True, ge=1, le=365, description="whole days that a record is kept")]

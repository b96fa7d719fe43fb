"""The kinds of values that a recipe holds, and what all its tables are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(gt=0, lt=1)]
Chance = Annotated[float, Field(ge=0, le=1)]
Epochs = Annotated[int, Field(ge=1, le=10_000)]
Rate = Annotated[float, Field(gt=0, le=1)]
Side = Annotated[int, Field(ge=32, le=2048)]
StepName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
AnyPath = Annotated[Path, Field(strict=False)]
LOOSE = Field(strict=False)
"""TOML has no enumerations: their texts stand for them."""


class Table(BaseModel):
    """A table of a recipe: frozen, and without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
    )

"""JSON Schemas of pydantic's types, as they are given to other programs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema


class Untitled(GenerateJsonSchema):
    """Without the titles and underscores that only repeat a name of the code."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: D102
        return False

    def get_title_from_name(self, name: str) -> str:  # noqa: D102
        return super().get_title_from_name(name.strip("_"))

    def normalize_name(self, name: str) -> str:  # noqa: D102
        return super().normalize_name(name).strip("_")


class WithoutNull(Untitled):
    """What may be None is left out where it is None, so that null is no value."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:  # noqa: D102
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:  # noqa: D102
        made = super().default_schema(schema)
        if made.get("default", ...) is None:
            del made["default"]
        return made


def schema_of(document: type[BaseModel]) -> dict[str, Any]:
    """What a TOML document of that model may hold, as a JSON Schema (draft 2020-12)."""
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **document.model_json_schema(schema_generator=WithoutNull),
    }

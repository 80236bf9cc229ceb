"""Sections of a configuration: what all are made of, and those about sites."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Range = tuple[float, float]
Pixels = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of a configuration: unknown keys are refused and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sites(Section):
    """Where site spectra come from (the references, the data, both, or a `file`) and how they are made."""

    source: Literal["library", "observed", "both"] | None = Field(default=None, alias="from")
    file: Path | None = None
    mixtures: Literal["pairs", "none"] = "pairs"
    trials: Annotated[int, Field(ge=0)] = 0
    components: Annotated[int, Field(ge=2)] = 3
    draw: Literal["standards", "candidates"] = "standards"
    criterion: Literal["z", "error"] = "z"
    accept: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    limit: Annotated[float, Field(gt=0, lt=0.5)] = 1e-4
    method: Literal["average", "net"] = "average"
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _built_or_given(self) -> "Sites":
        idle = sorted(self.model_fields_set - {"file", "limit", "seed"})
        if self.file and idle:
            raise ValueError(f"sites from a `file` are not built: remove {', '.join(_yaml_names(idle))}")
        idle = sorted(self._building)
        if self.source == "observed" and idle:
            raise ValueError(f"sites observed in the data are not built: remove {', '.join(idle)}")
        return self

    @property
    def recipe(self) -> dict[str, Any]:
        """The settings that sites are built by."""
        return self.model_dump(exclude={"file", "source"})

    @property
    def _building(self) -> set[str]:
        return self.model_fields_set - {"source", "file", "limit"}

    @property
    def origin(self) -> Literal["library", "observed", "both", "file"]:
        """Where sites come from: as told, else the data, or the library where it is said how to build one."""
        if self.file:
            return "file"
        return self.source or ("library" if self._building else "observed")

    @property
    def need_references(self) -> bool:
        """Whether references must be given: always, unless a file or the data are named as the source."""
        return not self.file and self.source != "observed"


def _yaml_names(fields: list[str]) -> list[str]:
    return ["from" if field == "source" else field for field in fields]

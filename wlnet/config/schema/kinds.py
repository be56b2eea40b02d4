"""The kinds of values settings have, and what their sections have in common."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

TEN_YEARS = 315_360_000

Duration = Annotated[float, Meta(ge=0, le=TEN_YEARS, extra={"unit": "duration"})]
Interval = Annotated[float, Meta(ge=0.01, le=TEN_YEARS, extra={"unit": "duration"})]
"""A duration something is repeated at, so never zero."""
Size = Annotated[int, Meta(extra={"unit": "size"})]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
AtLeastOne = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Rate = Annotated[float, Meta(ge=0, le=1_000_000, extra={"unit": "per second"})]
"""Zero means: no limit."""


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file; its docstring is what the operator reads about it."""

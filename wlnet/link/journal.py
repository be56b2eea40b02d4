"""What the pure parts of the link need of a logger: ``twisted.logger.Logger`` has it."""

from __future__ import annotations

from typing import Protocol


class Journal(Protocol):
    """Writes log lines: a fixed format and named values."""

    def info(self, format: str | None = None, **values: object) -> None:  # noqa: A002 (Logger's name)
        """Something an operator likes to know."""

    def warn(self, format: str | None = None, **values: object) -> None:  # noqa: A002
        """Something an operator should look at."""

"""What a program for players does with signals."""

from __future__ import annotations

import signal


def ignore_further() -> None:
    """It is leaving already: being asked again changes nothing. What takes too long is cut off anyway."""
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        number = getattr(signal, name, None)  # not every system has them all
        if number is not None:
            signal.signal(number, signal.SIG_IGN)

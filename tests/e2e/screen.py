"""One virtual X display: clicking, typing, screenshots and reading the text on it."""

from __future__ import annotations

import os
import re
import select
import subprocess
from difflib import SequenceMatcher
from pathlib import Path
from typing import IO

from tests.e2e.layout import HEIGHT, WHOLE, WIDTH, Area, Point
from tests.e2e.waiting import TimedOutError, pause, wait_for


def squeeze(text: str) -> str:
    """Text without what character recognition gets wrong most: case, spaces and punctuation."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def resembles(wanted: str, seen: str) -> bool:
    """Whether ``wanted`` is in ``seen`` up to one wrong letter in six."""
    short, long = squeeze(wanted), squeeze(seen)
    if short in long:
        return True
    windows = (long[at : at + len(short)] for at in range(max(1, len(long) - len(short) + 1)))
    return any(SequenceMatcher(None, short, window, autojunk=False).ratio() > 5 / 6 for window in windows)


def filtered(command: list[str], data: bytes) -> bytes:
    """What a command makes of ``data``."""
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    done = subprocess.run(command, input=data, env=environment, check=True, timeout=60, capture_output=True)
    return done.stdout


class Screen:
    """An Xvfb of its own; the display number is chosen by the X server."""

    def __init__(self, log: IO[bytes]) -> None:
        reading, writing = os.pipe()
        geometry = f"{WIDTH}x{HEIGHT}x24"
        command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", geometry, "-nolisten", "tcp"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[writing]
        )
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            ready, _, _ = select.select([pipe], [], [], 20.0)
            number = pipe.readline().strip() if ready else b""
        if not number:
            self.close()
            raise TimedOutError("Xvfb did not start")
        self.display = f":{number.decode()}"
        self._environment = {**os.environ, "DISPLAY": self.display}

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _do(self, *arguments: str) -> None:
        subprocess.run(["xdotool", *arguments], env=self._environment, check=True, timeout=20)

    def click(self, at: Point) -> None:
        """A slow click: a client at ten frames a second misses a fast one."""
        self._do("mousemove", str(at.x), str(at.y))
        pause(0.35)
        self._do("mousedown", "1")
        pause(0.15)
        self._do("mouseup", "1")
        pause(0.15)

    def key(self, *names: str) -> None:
        for name in names:
            self._do("key", "--delay", "60", name)
            pause(0.1)

    def type(self, text: str) -> None:
        self._do("type", "--delay", "60", text)
        pause(0.2)

    def shoot(self, path: Path) -> Path:
        """Save what is on the display as a PNG file."""
        subprocess.run(
            ["import", "-silent", "-window", "root", str(path)],
            env=self._environment, check=True, timeout=30,
        )  # fmt: skip
        return path

    def _grab(self, area: Area, *treatment: str) -> bytes:
        size = f"{area.width}x{area.height}+{area.x}+{area.y}"
        grab = ["import", "-silent", "-window", "root", "-crop", size, "+repage", "png:-"]
        picture = subprocess.run(
            grab, env=self._environment, check=True, timeout=30, stdout=subprocess.PIPE
        ).stdout
        return filtered(["convert", "png:-", *treatment], picture)

    def colour(self, area: Area) -> tuple[int, int, int]:
        """The average colour of an area: red, green, blue from 0 to 255."""
        red, green, blue = self._grab(area, "-scale", "1x1!", "-depth", "8", "rgb:-")
        return red, green, blue

    def read(self, area: Area = WHOLE) -> str:
        """The white and yellow text in an area of the display, by character recognition."""
        bright = ("-channel", "RG", "-separate", "-evaluate-sequence", "min")
        image = self._grab(area, *bright, "-resize", "300%", "-threshold", "45%", "-negate", "png:-")
        return filtered(["tesseract", "-", "-", "--psm", "6"], image).decode(errors="replace")

    def shows(self, text: str, area: Area = WHOLE) -> bool:
        return resembles(text, self.read(area))

    def wait_text(self, text: str, area: Area = WHOLE, timeout: float = 30.0) -> None:
        seen = ""

        def condition() -> bool:
            nonlocal seen
            seen = self.read(area)
            return resembles(text, seen)

        try:
            wait_for(condition, text, timeout, interval=0.5)
        except TimedOutError as error:
            raise TimedOutError(f"{error!s} on display {self.display}; last read:\n{seen}") from None

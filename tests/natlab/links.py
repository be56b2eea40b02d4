"""The line between a home and what is above it: delay, loss, cut."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.natlab.names import NAMESPACES
from tests.natlab.namespace import LabError, Namespace

_LOSS_STEPS = 10_000


class Wires:
    """The process that holds the delayed lines of a laboratory; started with the first of them."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._made = 0

    def add(self, one: tuple[Namespace, str], other: tuple[Namespace, str], delay: float) -> str:
        """Make a device in each of two namespaces and join them. Returns the name of the line."""
        self._made += 1
        name = str(self._made)
        ends = [(str(NAMESPACES / namespace.name), device) for namespace, device in (one, other)]
        self._tell({"id": name, "ends": ends, "delay": delay})
        return name

    def set_delay(self, name: str, delay: float) -> None:
        """From now on, packets take this many seconds one way."""
        self._tell({"id": name, "delay": delay})

    def _tell(self, command: dict[str, object]) -> None:
        if self._process is None:
            program = [sys.executable, str(Path(__file__).with_name("shuttle.py"))]
            self._process = subprocess.Popen(
                program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(command) + "\n")
        process.stdin.flush()
        if process.stdout.readline() != "done\n":
            raise LabError(f"the delayed lines ended ({process.wait()}) at {command}")

    def close(self) -> None:
        """End the process, and with it the devices."""
        if self._process is None:
            return
        process, self._process = self._process, None
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Link:
    """The line of one home or carrier. All numbers hold for each direction."""

    def __init__(self, above: Namespace, device: str, wires: Wires, wire: str | None) -> None:
        self._above = above
        self.device = device
        self._wires = wires
        self._wire = wire
        self._loss = 0.0
        self._up = True

    def set_delay(self, seconds: float) -> None:
        """Change the delay of a line that was made with one (0 too).

        Raises LabError for a line made without.
        """
        if self._wire is None:
            raise LabError("this line has no delay: give one (0 too) when making the site")
        self._wires.set_delay(self._wire, seconds)

    def set_loss(self, share: float) -> None:
        """Lose this share of the packets, 0 to 1, at random."""
        self._loss = share
        self._load()

    def down(self) -> None:
        """Cut: packets vanish; nobody is told, as when the cable behind the modem is cut."""
        self._up = False
        self._load()

    def up(self) -> None:
        """Mend what `down` cut."""
        self._up = True
        self._load()

    def _load(self) -> None:
        lost = round((self._loss if self._up else 1.0) * _LOSS_STEPS)
        table = f"link_{self.device}"
        script = f"table inet {table} {{}}\ndelete table inet {table}\n"
        if lost:
            lose = f"numgen random mod {_LOSS_STEPS} < {lost} drop" if lost < _LOSS_STEPS else "drop"
            rules = "\n".join(f'{way} "{self.device}" {lose}' for way in ("iifname", "oifname"))
            hook = "type filter hook forward priority -10; policy accept;"
            script += f"table inet {table} {{\nchain forward {{\n{hook}\n{rules}\n}}\n}}\n"
        self._above.nft(script)

"""docs/client.md: both programs are run, and every other snippet is."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.server_process import ServerProcess
from wlnet.client import api
from wlnet.client.api import OverError, Settings, asyncio_client
from wlnet.client.gather.words import GatherOptions
from wlnet.client.peer.options import PartyOptions

ROOT = Path(__file__).parents[3]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/client.md").read_text(), re.DOTALL)
PROGRAMS = {match[1]: text for text in BLOCKS if (match := re.match(r"# (guess_\w+)\.py", text))}
SNIPPETS = [text for text in BLOCKS if text not in PROGRAMS.values()]

# The programs as they are, but no router of the machine that runs the tests is asked for ports.
NO_ROUTER = """
import runpy, sys
import wlnet.client.api.client as client
class NoRouter:
    def __init__(self, network): pass
    def map(self, *wish, **more): return self
    def close(self, done=lambda: None): done()
client.PortMapper = NoRouter
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Program:
    """One of the two, running."""

    def __init__(self, folder: Path, name: str, *words: str) -> None:
        file = folder / f"{name}.py"
        file.write_text(PROGRAMS[name])
        self.process = subprocess.Popen(
            [sys.executable, "-c", NO_ROUTER, str(file), *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        self._watchdog = threading.Timer(30, self.process.kill)
        self._watchdog.start()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def rest(self) -> str:
        out, err = self.process.communicate()
        self._watchdog.cancel()
        assert (self.process.returncode, err) == (0, "")
        return out.strip()


@pytest.mark.parametrize(
    ("host", "guest"), [("guess_asyncio", "guess_twisted"), ("guess_twisted", "guess_asyncio")]
)
def test_the_programs_play_with_each_other(
    game_server: ServerProcess, tmp_path: Path, host: str, guest: str
) -> None:
    lobby = f"tcp://127.0.0.1:{game_server.port('lobby')}"
    hosting = Program(tmp_path, host, "host", lobby, "Anna", f"Number of {host}")
    assert hosting.line() == f"Number of {host} is listed.", hosting.rest()
    joining = Program(tmp_path, guest, "join", lobby, "Bert", f"Number of {host}")
    found = re.fullmatch(r"Anna thinks of (\d+)\.", joining.rest())
    told = re.fullmatch(
        r"Bert was told (\d+)\. The other player ended it: thanks for the game\.", hosting.rest()
    )
    assert found
    assert told
    assert found[1] == told[1]


async def _run(snippets: list[str], names: dict[str, Any]) -> None:
    for number, text in enumerate(snippets):
        code = compile(text, f"snippet {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        if inspect.iscoroutine(result):
            await asyncio.wait_for(result, 15)


def test_every_other_snippet(game_server: ServerProcess, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> dict[str, Any]:
        options = PartyOptions(gather=GatherOptions(mappings=False))
        lobby = f"tcp://127.0.0.1:{game_server.port('lobby')}"
        names: dict[str, Any] = {name: getattr(api, name) for name in api.__all__}
        names |= {"PartyOptions": PartyOptions, "GatherOptions": GatherOptions}
        for name in ("client", "other"):
            names[name] = asyncio_client(Settings(lobby=lobby, name=name, options=options))
        try:
            await _run(SNIPPETS, names)
        finally:
            await names["client"].close()
            await names["other"].close()
        with pytest.raises(OverError):
            await names["line"]
        return names

    names = asyncio.run(main())
    assert len(SNIPPETS) == 9
    assert names["name"] == "client"
    assert names["data"] == b"a map, perhaps a long one"
    assert names["shy"].options.gather.relay_only
    printed = capsys.readouterr().out.splitlines()
    assert "Evening game by client made of udp" in printed
    assert "b'position 3 4'" in printed
    assert printed[-1] == "The other player ended it: good night."


BOTH = """
import asyncio, sys
from twisted.internet import asyncioreactor
loop = asyncio.SelectorEventLoop()
asyncioreactor.install(loop)
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from wlnet.client.api import Settings, asyncio_client, twisted_client
from wlnet.client.gather.words import GatherOptions
from wlnet.client.peer.options import PartyOptions

def settings(name):
    return Settings(lobby=sys.argv[1], name=name, options=PartyOptions(gather=GatherOptions(mappings=False)))

async def host(client):
    game = await client.host("Both")
    joining = loop.create_task(join(asyncio_client(settings("guest"), loop)))
    player = await game.accept()
    player.send(b"from a Deferred")
    print((await player.receive()).decode())
    await client.close()
    await Deferred.fromFuture(joining)

async def join(client):
    player = await client.join("Both")
    print((await player.receive()).decode())
    player.send(b"from a Future")
    await player.closed()
    await client.close()

def start():
    done = Deferred.fromCoroutine(host(twisted_client(settings("host"))))
    done.addErrback(lambda failure: print(failure.getTraceback()))
    done.addBoth(lambda _: reactor.stop())

reactor.callWhenRunning(start)
reactor.run()
"""


def test_both_frameworks_in_one_process(game_server: ServerProcess) -> None:
    lobby = f"tcp://127.0.0.1:{game_server.port('lobby')}"
    done = subprocess.run(
        [sys.executable, "-c", BOTH, lobby],
        capture_output=True, text=True, timeout=30, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.stderr == ""
    assert sorted(done.stdout.split("\n")) == ["", "from a Deferred", "from a Future"]

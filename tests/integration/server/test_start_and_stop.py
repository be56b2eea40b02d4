"""Starting, refusing to start, stopping, and starting again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import pytest

from tests.integration.server.conftest import PASSWORDS, People, Start
from tests.support.server_process import PROGRAMS, wlnet
from tests.support.wire_client import Closed, LobbyClient, RelayClient, wait_for


def refused(*words: str, state_dir: Path, prefix: tuple[str, ...] = ()) -> str:
    """Start a server that must refuse; what it says. It must be short, and no traceback."""
    command = [
        *prefix,
        str(PROGRAMS / "twistd"),
        "--nodaemon",
        "--pidfile=",
        "wlnet",
        "--set",
        f"server.state_dir={state_dir}",
    ]
    command += ["--set", "lobby.port=0", "--set", "relay.port=0"]
    command += ["--set", "stun.port=0", "--set", "stun.second_port=0", "--set", "web.port=0", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, cwd="/")
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "Traceback" not in said, said
    assert "Unhandled" not in said, said
    return said


def test_sigterm_ends_everything_well(start: Start, people: People) -> None:
    """Everybody is told; with people who hang up when told to it is quick."""
    server = start()
    game, owner, host, (guest,) = people.game(server, guests=1)
    idle = people.peer(server)
    half = people.guest(server)
    half.send_raw(b"\x00")
    words: dict[str, list[tuple[object, ...]]] = {}

    def listen(who: str, client: LobbyClient | RelayClient) -> None:
        words[who] = [*client.last_words(6)]
        client.close()

    everybody = {"owner": owner, "host": host, "guest": guest, "idle": idle, "half": half}
    threads = [Thread(target=listen, args=one) for one in everybody.items()]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    assert server.stop(6) == 0
    assert time.monotonic() - began < 3
    for thread in threads:
        thread.join(6)
    assert set(words) == set(everybody)
    assert [word[0] for word in words["guest"]] == ["Disconnect"]
    assert game


def test_sigterm_with_players_who_do_not_read(start: Start, people: People) -> None:
    server = start({"lobby.close_linger": 0.5})
    stuck, talker = people.guest(server, window=2048), people.player(server)
    stuck.log_in("stuck")
    for _ in range(30):
        talker.send("CHAT", "x" * 1000, "")
    talker.during(0.3)
    assert server.stop(8) == 0


def test_starting_again_at_once_on_the_same_ports(start: Start, people: People) -> None:
    server = start({"lobby.close_linger": 0.5, "relay.close_linger": 0.5})
    server.keep_ports()
    people.game(server, guests=1)
    server.kill()
    server.start()
    people.game(server, guests=1)
    assert server.stop() == 0
    server.start()
    people.game(server, guests=1)


def test_bans_and_accounts_survive_a_restart(start: Start, people: People) -> None:
    server = start({"lobby.close_linger": 0.5})
    boss = people.player(server, name="boss", password=PASSWORDS["boss"])
    bad = people.player(server, source="127.0.8.1")
    boss.send("CMD", "ban", bad.name)
    assert boss.next()[0] == "CHAT"
    bad.last_words()
    assert server.stop() == 0
    server.start()
    guest = people.guest(server, source="127.0.8.1")
    guest.send("LOGIN", "6", "bad", "1.2.1", "false", "n")
    assert guest.last_words() == [("ERROR", "LOGIN", "BANNED")]
    assert people.player(server, name="boss", password=PASSWORDS["boss"]).permission == "SUPERUSER"


def test_a_kick_survives_a_crash(start: Start, people: People) -> None:
    server = start()
    boss = people.player(server, name="boss", password=PASSWORDS["boss"])
    bad = people.player(server, source="127.0.8.2")
    boss.send("CMD", "kick", bad.name)
    boss.next()
    bad.last_words()
    wait_for(lambda: "127.0.8.2" in wlnet("ban", "list", state_dir=server.state_dir))
    server.kill()
    server.start()
    guest = people.guest(server, source="127.0.8.2")
    guest.send("LOGIN", "6", "bad", "1.2.1", "false", "n")
    assert guest.last_words() == [("ERROR", "LOGIN", "BANNED")]


def test_after_a_restart_players_come_back_under_their_names(start: Start, people: People) -> None:
    server = start()
    server.keep_ports()
    player = people.player(server)
    server.kill()
    with pytest.raises(Closed):
        player.take()
    server.start()
    assert people.player(server, name=player.name, nonce=player.secret).name == player.name


@pytest.mark.parametrize("name", ["lobby", "relay"])
def test_a_port_in_use(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(
            "--set", f"{name}.port={port}", "--set", f'{name}.listen=["127.0.0.1"]', state_dir=tmp_path
        )
    assert f"{name}.port" in said
    assert str(port) in said


def test_an_address_that_is_not_ours(tmp_path: Path) -> None:
    assert "lobby.listen" in refused("--set", 'lobby.listen=["203.0.113.1"]', state_dir=tmp_path)


def test_a_broken_configuration(tmp_path: Path) -> None:
    """What is said names the key, or the file if it is not even TOML."""
    wrong = {
        "[lobby]\nport = 99999\n": "lobby.port",
        "[lobby]\nport = 'x'\n": "lobby.port",
        "[lobby]\nprot = 1\n": "prot",
        "[lobby\n": "7.toml",
        "[lobby]\nping_interval = '5 parsecs'\n": "lobby.ping_interval",
        "[server]\nroles = []\n": "server.roles",
        "\0\xff": "2.toml",
    }

    def check(text: str, hint: str) -> None:
        file = tmp_path / f"{len(text)}.toml"
        file.write_bytes(text.encode("latin-1"))
        said = refused("--config", str(file), state_dir=tmp_path)
        assert hint in said, said

    assert len({len(text) for text in wrong}) == len(wrong), "a file for each"
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(check, text, hint) for text, hint in wrong.items()]:
            done.result()


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    assert "nowhere.toml" in refused("--config", str(tmp_path / "nowhere.toml"), state_dir=tmp_path)


def test_a_state_directory_that_cannot_be_made() -> None:
    assert "server.state_dir" in refused(state_dir=Path("/proc/nowhere"))


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere")
def test_a_state_directory_without_the_right_to_write(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o555)
    root = os.geteuid() == 0
    assert "server.state_dir" in refused(
        state_dir=folder, prefix=("setpriv", "--bounding-set=-all", "--inh-caps=-all") if root else ()
    )


def test_a_state_directory_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert "server.state_dir" in refused(state_dir=file)

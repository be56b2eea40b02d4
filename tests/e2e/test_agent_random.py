"""Unmodified clients started by their agents, behind routers with random ports: they play over the relay."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import actions, layout
from tests.e2e.conftest import WORLD
from tests.e2e.homes import HERE, LOBBY_PORT, RELAY_PORT, Homes
from tests.e2e.waiting import wait_for

pytestmark = pytest.mark.e2e

ALICE, BOB = "alicenubu", "bobrakelo"
GAME = "riverbank"
AGENT = [f"{HERE}:{LOBBY_PORT}", f"{HERE}:{RELAY_PORT}"]


class Scene(Homes):
    def build(self) -> None:
        super().build()
        self.alice = self.started_by_agent(ALICE, "sym-random")
        self.bob = self.started_by_agent(BOB, "sym-random")
        self.count_traffic()


@pytest.fixture(scope="module")
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    for scene in Scene.opened(tmp_path_factory.mktemp("random"), "agent-random"):
        request.config.stash[WORLD] = scene
        scene.build()
        yield scene


@pytest.fixture
def scene(built: Scene) -> Scene:
    if built.failed_step:
        pytest.skip(f"{built.failed_step} failed")
    return built


def test_01_a_game_started_by_its_agent_finds_it(scene: Scene) -> None:
    homes = (scene.alice, scene.bob)
    scene.log_in(*homes)
    for home in homes:
        words = Path(f"/proc/{home.client.pid}/cmdline").read_text().split("\0")
        assert f"--metaserver={HERE}" in words
        assert f"--metaserverport={LOBBY_PORT}" in words
        home.told.wait("online", player=home.name)
        assert home.peers() == AGENT[:1]
        scene.observer.wait_client(home.name, build="1.1", game="")


def test_02_they_play_over_the_relay_of_datagrams(scene: Scene) -> None:
    homes = (scene.alice, scene.bob)
    actions.open_game(scene.alice.client, GAME)
    actions.choose_crater(scene.alice.client)
    scene.bob.client.screen.wait_text(GAME, layout.LOBBY_GAMES)
    actions.join_first_game(scene.bob.client, scene.alice.client)
    actions.take_player_two(scene.alice.client)
    before = [scene.traffic.of(home.site) for home in homes]
    actions.start(scene.alice.client, scene.bob.client)
    scene.running(*homes)
    scene.observer.wait_game(GAME, "RUNNING")
    scene.shoot("01-running")
    for home, figures in zip(homes, before, strict=True):
        assert home.told.path == "relayed"
        assert home.peers() == AGENT
        passed = scene.traffic.of(home.site).since(figures)
        print(f"{home.name}: {passed}")
        assert passed.pairs.packets > 50
    assert passed.public_relay.packets == 0  # of the guest


def test_03_the_agent_ends_with_its_game(scene: Scene) -> None:
    client = scene.bob.client
    actions.leave_running_game(client)
    client.insist(
        lambda: client.screen.click(layout.MENU_EXIT_BUTTON),
        lambda: client.process.poll() is not None,
        "the end of the agent",
    )
    assert client.process.returncode == 0


def test_04_the_game_ends_with_its_agent(scene: Scene) -> None:
    client = scene.alice.client
    game = Path(f"/proc/{client.pid}")
    client.process.send_signal(signal.SIGINT)
    wait_for(lambda: client.process.poll() is not None, "the end of the agent")
    assert client.process.returncode == 0
    assert not game.exists()


def test_05_the_server_stops_cleanly(scene: Scene) -> None:
    wait_for(lambda: set(scene.observer.clients) == {"watcher"}, "both gone from the lobby")
    scene.observer.close()
    assert scene.server.stop() == 0
    scene.server.check_log()
    for home in (scene.alice, scene.bob):
        assert "Traceback" not in home.client.log()

"""Unmodified Widelands 1.1 clients behind port-restricted routers. The steps depend on each other.

Two of the players have an agent, the third has none. What carries a game is read from the kernel: the sockets
of the game's process, and counters in the middle of the laboratory's internet.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.e2e import actions, layout
from tests.e2e.conftest import WORLD
from tests.e2e.homes import HERE, LOBBY_PORT, RELAY_PORT, Homes
from tests.e2e.waiting import wait_for

pytestmark = pytest.mark.e2e

ALICE, BOB, CAROL = "alicenubu", "bobrakelo", "carolmizu"
GAME = "meadowgame"
AGENT = [f"{HERE}:{LOBBY_PORT}", f"{HERE}:{RELAY_PORT}"]


class Scene(Homes):
    """A host and a guest with an agent, a guest without."""

    def build(self) -> None:
        super().build()
        self.alice = self.home(ALICE, "port-restricted")
        self.bob = self.home(BOB, "port-restricted")
        self.carol = self.home(CAROL, "port-restricted", agent=False)
        self.count_traffic()


@pytest.fixture(scope="module")
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    for scene in Scene.opened(tmp_path_factory.mktemp("agent"), "agent"):
        request.config.stash[WORLD] = scene
        scene.build()
        yield scene


@pytest.fixture
def scene(built: Scene) -> Scene:
    if built.failed_step:
        pytest.skip(f"{built.failed_step} failed")
    return built


def test_01_all_log_in(scene: Scene) -> None:
    """Two of them through their agents; the lobby does not see the difference."""
    scene.log_in(scene.alice, scene.bob, scene.carol)
    for home in scene.homes:
        scene.observer.wait_client(home.name, build="1.1", game="", permission="UNREGISTERED")
    for home in (scene.alice, scene.bob):
        home.told.wait("lobby-known", exchange=True)
        home.told.wait("online", player=home.name)
        assert home.peers() == AGENT[:1]


def test_02_guests_with_and_without_an_agent_join(scene: Scene) -> None:
    """One over a path through both routers, the other one over the public relay."""
    actions.open_game(scene.alice.client, GAME)
    scene.alice.told.wait("hosting", game=GAME)
    scene.observer.wait_game(GAME, "SETUP")
    actions.choose_crater(scene.alice.client)
    scene.together(
        lambda home: home.client.screen.wait_text(GAME, layout.LOBBY_GAMES), scene.bob, scene.carol
    )
    for home in (scene.bob, scene.carol):
        actions.join_first_game(home.client, scene.alice.client)
        scene.observer.wait_client(home.name, game=GAME)
    assert scene.bob.told.wait("joining", game=GAME)["over_path"]
    for home in (scene.alice, scene.bob):
        home.told.wait_path("punched")
    for name in (BOB, CAROL):
        scene.alice.client.screen.wait_text(name, layout.SETUP_CLIENTS)
    scene.shoot("01-joined")


def test_03_three_play_and_no_relay_carries_the_agents_bytes(scene: Scene) -> None:
    """The host looks on, for the map is for two."""
    before = [scene.traffic.of(home.site) for home in scene.homes]
    since = scene.carol.client.mark()
    actions.start(scene.alice.client, scene.bob.client)
    scene.carol.client.wait_log(r"\[Client\]: sending timestamp", since)
    scene.running(*scene.homes)
    scene.observer.wait_game(GAME, "RUNNING")
    scene.shoot("02-running")
    for home in (scene.alice, scene.bob):
        assert home.peers() == AGENT
        assert home.told.path == "punched"
    server = scene.lab.server.ipv4
    assert scene.carol.peers() == [f"{server}:{LOBBY_PORT}", f"{server}:{RELAY_PORT}"]

    passed = [scene.traffic.of(home.site).since(one) for home, one in zip(scene.homes, before, strict=True)]
    for home, figures in zip(scene.homes, passed, strict=True):
        print(f"{home.name}: {figures}")
    alice, bob, carol = passed
    for figures in (alice, bob):
        assert figures.direct.packets > 50
        assert figures.pairs.packets == figures.pairs_tcp.packets == 0
    assert bob.public_relay.packets == 0
    assert carol.public_relay.packets > 50
    assert carol.direct.packets == 0


@pytest.mark.parametrize("new_address", [False, True], ids=["same address", "other address"])
def test_04_the_guests_router_restarts(scene: Scene, new_address: bool) -> None:
    """The games do not notice: their connections are the same, time passes, the other guest's too."""
    homes = (scene.alice, scene.bob)
    sockets = [home.relay_socket() for home in homes]
    marks = [home.told.mark() for home in homes]
    began = time.monotonic()
    scene.bob.site.router.reboot(new_ip=new_address)
    scene.running(*homes)
    print(f"going on {time.monotonic() - began:.1f} s later")
    if new_address:
        for home, mark in zip(homes, marks, strict=True):
            print(f"{home.name}: {home.told.wait('path', mark)}")
            home.told.wait_path("punched", 60)
        print(f"punched {time.monotonic() - began:.1f} s later")
    scene.running(*scene.homes)
    assert [home.relay_socket() for home in homes] == sockets
    for home in homes:
        assert home.peers() == AGENT
    assert f"{scene.lab.server.ipv4}:{RELAY_PORT}" in scene.carol.peers()


def test_05_the_hosts_router_restarts_and_gets_another_address(scene: Scene) -> None:
    """The guest over a path plays on. The other one is lost with the host's connection to the public relay.

    The game asks its player about that one, and stands still until it is answered.
    """
    homes = (scene.alice, scene.bob)
    sockets = [home.relay_socket() for home in homes]
    marks = [home.told.mark() for home in homes]
    began = time.monotonic()
    scene.alice.site.router.reboot(new_ip=True)
    actions.continue_without(scene.alice.client)
    print(f"answered {time.monotonic() - began:.1f} s later")
    scene.running(*homes)
    print(f"going on {time.monotonic() - began:.1f} s later")
    for home, mark in zip(homes, marks, strict=True):
        home.told.wait("path", mark)
        home.told.wait_path("punched", 60)
    print(f"punched {time.monotonic() - began:.1f} s later")
    scene.alice.told.wait("online", marks[0], player=ALICE)
    scene.running(*homes)
    assert [home.relay_socket() for home in homes] == sockets
    for home in homes:
        assert home.peers() == AGENT
    scene.shoot("03-two-left")


def test_06_the_lobby_is_killed_and_starts_again(scene: Scene) -> None:
    """With its relays. The game goes on, and both players are in the lobby again."""
    homes = (scene.alice, scene.bob)
    sockets = [home.relay_socket() for home in homes]
    marks = [home.told.mark() for home in homes]
    logs = [home.client.mark() for home in homes]
    scene.server.kill()
    for home, mark in zip(homes, marks, strict=True):
        home.told.wait("offline", mark)
    scene.running(*homes)
    assert [home.relay_socket() for home in homes] == sockets
    scene.server.start()
    scene.observe()
    for home, mark, log in zip(homes, marks, logs, strict=True):
        home.told.wait("online", mark, player=home.name)
        home.client.wait_log("Reconnected to metaserver", log)
        scene.observer.wait_client(home.name, build="1.1")
    scene.running(*homes)
    assert [home.relay_socket() for home in homes] == sockets
    assert [home.told.path for home in homes] == ["punched", "punched"]
    scene.shoot("04-lobby-was-away")


def test_07_the_host_leaves(scene: Scene) -> None:
    """Its guest is told; no connection is left behind."""
    actions.leave_running_game(scene.alice.client)
    scene.alice.told.wait("hosted", game=GAME)
    wait_for(lambda: actions.told_host_left(scene.bob.client), "the guest being told")
    wait_for(lambda: AGENT[1] not in scene.bob.peers(), "the end of the guest's connection")
    actions.leave_ended_game(scene.bob.client)
    for home in (scene.alice, scene.bob):
        scene.observer.wait_no_client(home.name)
        assert home.peers() == []


def test_08_server_and_agents_end_cleanly(scene: Scene) -> None:
    scene.observer.refresh()
    assert scene.observer.games == {}
    scene.observer.close()
    assert scene.server.stop() == 0
    scene.server.check_log()
    for home in (scene.alice, scene.bob):
        assert home.lone.stop() == 0
        assert "Traceback" not in home.lone.errors

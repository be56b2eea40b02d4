from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import provider

from tests.support.relay import World
from wlnet.protocols.widelands_relay import wire
from wlnet.relay.shell_journal import LogJournal


@pytest.fixture
def lines() -> Iterator[list[str]]:
    events: list[str] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event.get("log_namespace") == "wlnet.relay":
            events.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield events
    globalLogPublisher.removeObserver(observe)


def test_a_game_is_told_from_beginning_to_end(lines: list[str]) -> None:
    world = World()
    world.relay.journal = LogJournal()
    world.relay.open_room("id7", "a {nasty} name", "5ec2e7", "")
    host = world.host(b"a {nasty} name")
    world.client(b"a {nasty} name").say(wire.disconnect(b"{reason}"))
    host.hang_up()
    assert lines == [
        "room id7 opened for game 'a {nasty} name'",
        "room id7 of game 'a {nasty} name' has its host: session r0 from 192.0.2.1",
        "session r1 from 198.51.100.1 joined room id7 as 2, 1 clients now",
        "session r1 from 198.51.100.1 left: said Disconnect",
        "room id7 of game 'a {nasty} name' closed after 1 joins: host: connection ended",
        "session r0 from 192.0.2.1 left: connection ended",
    ]


def test_lines_about_an_address_can_be_refused_and_shortened(lines: list[str]) -> None:
    world = World()
    world.relay.journal = LogJournal(
        lambda address: not address.startswith("198."), lambda _address: "somewhere"
    )
    world.host()
    world.client().hang_up()
    world.connect("192.0.2.9").hang_up()
    assert lines == [
        "room room of game 'game' has its host: session r0 from somewhere",
        "session r2 from somewhere left: connection ended",
    ]


def test_who_opens_rooms_and_never_comes_cannot_fill_the_log() -> None:
    levels: list[str] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event.get("log_namespace") == "wlnet.relay":
            levels.append(event["log_level"].name)

    world = World()
    world.relay.journal = LogJournal()
    globalLogPublisher.addObserver(observe)
    try:
        assert world.relay.open_room("id7", "another game", "5ec2e7", "")
        world.relay.close_room("id7")
    finally:
        globalLogPublisher.removeObserver(observe)
    assert levels == ["debug", "debug"]


def test_lines_about_a_room_are_lines_about_its_host(lines: list[str]) -> None:
    asked: list[str] = []

    def refuse(address: str) -> bool:
        asked.append(address)
        return False

    world = World()
    world.relay.journal = LogJournal(refuse)
    world.host().hang_up()
    assert asked == ["192.0.2.1"] * 3  # the host is there, the room closes, the host has left
    assert lines == []

"""Paths that die, lobbies that go, players that vanish: the game goes on wherever it can."""

from __future__ import annotations

from itertools import count

import pytest
from msgspec.structs import replace

from tests.unit.client.peer.town import GAME, Player, Town, kinds, numbered
from wlnet.client.paths.words import MoveReason
from wlnet.client.peer.words import PathGone, PathNews
from wlnet.moderation.sanctions import Kind, Target
from wlnet.rendezvous.events import Ended
from wlnet.steering.model import PathKind
from wlnet.steering.trace import EndReason

D, P, R = PathKind.DIRECT, PathKind.PUNCHED, PathKind.RELAYED


def punched(town: Town) -> tuple[Player, Player]:
    host, guest = town.joined()
    town.net.run_until(lambda: guest.kind is P and host.kind is P, 6)
    town.net.advance(2)
    return host, guest


def test_a_path_that_dies_is_left_within_two_seconds_and_won_back() -> None:
    town = Town()
    host, guest = punched(town)
    chat = guest.open()
    chat.send(b"before ")
    town.net.advance(0.5)
    town.net.link(host.machine, guest.machine, cut=True)
    chat.send(b"during ")
    assert town.net.run_until(lambda: host.chats[0].got == b"before during ", 5) <= 2.0
    assert town.net.run_until(lambda: guest.kind is R and host.kind is R, 5) <= 2.0
    town.net.link(host.machine, guest.machine, cut=False)
    town.net.run_until(lambda: guest.kind is P and host.kind is P, 30)
    chat.send(b"after")
    town.net.run_until(lambda: host.chats[0].got == b"before during after", 2)
    assert len(guest.party.peers) == len(host.party.peers) == 1
    assert [news.moved for _, news in guest.paths if isinstance(news, PathNews)][-2] is MoveReason.LOST
    town.close()


def test_a_router_that_restarts_is_punched_through_again_by_a_new_attempt() -> None:
    town = Town()
    host, guest = punched(town)
    chat = guest.open()
    chat.send(b"one ")
    town.net.advance(1)
    first = guest.peer.attempts
    for player in (host, guest):
        nat = town.nat(player)
        nat.public = nat.public.replace("198.51.100.", "192.0.2.")  # a new address, all mappings gone
        nat.forget()
    chat.send(b"two ")
    assert town.net.run_until(lambda: host.chats[0].got == b"one two ", 10) < 2.0
    # The relay may carry it before the old path is given up.
    town.net.run_until(lambda: guest.peer.attempts != first and guest.kind is P and host.kind is P, 30)
    chat.send(b"three")
    town.net.run_until(lambda: host.chats[0].got == b"one two three", 2)
    assert len(guest.ready) == len(host.ready) == 1, "the tunnel is the same"
    town.close()


def test_the_relay_is_lost_where_nothing_else_is() -> None:
    town = Town()
    host, guest = town.joined("sym-random", "sym-random")
    town.net.advance(5)
    chat = guest.open()
    town.server.relay_up = False
    chat.send(b"late")
    town.net.run_until(lambda: any(isinstance(news, PathGone) for _, news in guest.paths), 5)
    town.net.advance(10)
    town.server.relay_up = True
    assert town.net.run_until(lambda: host.chats and host.chats[0].got == b"late", 30) < 17
    town.net.run_until(lambda: guest.kind is R, 2)
    town.close()


def test_a_relay_that_starts_again_gets_new_tickets_where_the_old_ones_expired() -> None:
    town = Town()
    host, guest = town.joined("sym-random", "sym-random")
    chat = guest.open()
    chat.send(b"one ")
    town.net.advance(300)
    attempts = guest.peer.attempts
    town.server.relay_starts()
    chat.send(b"two")
    town.net.run_until(lambda: host.chats[0].got == b"one two", 20)
    assert guest.peer.attempts == attempts, "no new attempt was needed"
    town.close()


def test_a_ban_that_comes_while_only_the_paths_go_on_ends_the_game_too() -> None:
    town = Town()
    host, guest = punched(town)
    (number,) = host.peer.attempts
    host.party.lobby_told(Ended(attempt=number, reason=EndReason.REMOVED, kind=None, text="Removed."))
    town.net.run_until(lambda: host.gone and guest.gone, 2)
    assert "removed" in host.gone[0][1]
    town.close()


def test_games_go_on_without_the_lobby_and_the_game_is_listed_again() -> None:
    town = Town()
    host, guest = punched(town)
    chat = guest.open()
    chat.send(b"one ")
    town.server.lobby_down()
    town.net.run_until(lambda: host.said("lost") and guest.said("lost"), 5)
    town.net.advance(20)
    chat.send(b"two ")
    town.net.run_until(lambda: host.chats[0].got == b"one two ", 1)
    town.server.lobby_up()
    town.net.run_until(lambda: len(host.said("published")) == 2 and len(guest.said("ready")) == 2, 60)
    third = town.player("eve", "open")
    town.net.run_until(lambda: third.said("ready"))
    third.party.join(GAME)
    town.net.run_until(lambda: third.ready, 5)
    chat.send(b"three")
    town.net.run_until(lambda: host.chats[0].got == b"one two three", 1)
    assert {peer.name for peer in host.party.peers} == {"bob", "eve"}
    town.close()


def test_a_lobby_that_starts_again_counts_attempts_from_one() -> None:
    town = Town()
    host, guest = punched(town)
    chat = guest.open()
    town.server.lobby_down()
    town.net.advance(1)
    town.server.desk._meetings._numbers = count(1)
    town.server.lobby_up()
    town.net.run_until(lambda: len(host.said("published")) == 2, 60)
    third = town.player("eve", "port-restricted")
    town.net.run_until(lambda: third.said("ready"))
    town.net.advance(3)
    third.party.join(GAME)
    town.net.run_until(lambda: third.ready and third.kind is P, 5)
    assert third.peer.attempts == guest.peer.attempts
    chat.send(b"still here")
    town.net.run_until(lambda: host.chats and host.chats[0].got == b"still here", 1)
    town.close()


def test_a_path_lost_while_the_lobby_is_away_is_mended_once_it_is_back() -> None:
    town = Town()
    host, guest = punched(town)
    chat = guest.open()
    town.server.lobby_down()
    town.net.advance(1)
    town.server.relay_up = False
    for player in (host, guest):
        town.nat(player).forget()
        town.nat(player).public = town.nat(player).public.replace("198.51.100.", "192.0.2.")
    chat.send(b"held")
    town.net.advance(10)
    assert guest.peer.path is None
    town.server.relay_up = True
    town.server.lobby_up()
    assert town.net.run_until(lambda: host.chats and host.chats[0].got == b"held", 50) < 40
    town.net.run_until(lambda: guest.kind is P, 30)
    town.close()


def test_a_host_whose_lobby_dies_after_his_paths_notices_it_and_keeps_his_name() -> None:
    town = Town()
    host, guest = punched(town)
    chat = guest.open()
    host.machine.unplugged = True
    town.net.run_until(lambda: host.peer.path is None, 5)
    host.machine.unplugged = False
    town.net.advance(0.5)  # the lobby answers in time
    town.server.relay_up = False
    town.net.link(host.machine, guest.machine, cut=True)
    town.nat(host).public = "192.0.2.77"
    town.nat(host).forget()
    town.net.advance(12)
    town.server.relay_up = True
    chat.send(b"there you are")
    assert town.net.run_until(lambda: host.chats and host.chats[0].got == b"there you are", 60) < 25
    assert host.party.name == "ann"
    town.close()


def test_a_host_led_back_to_the_relay_by_the_guest_looks_after_the_lobby() -> None:
    """What he did not notice himself may have been his own line; nothing else notices a silent lobby."""
    town = Town()
    host, _ = punched(town)
    town.net.link(host.machine, town.server.host, cut=True)
    town.net.advance(12)
    assert not host.said("lost")
    path = host.peer.path
    assert path is not None
    # Whose check is late first is a matter of milliseconds, so the news is made here.
    host.peer._user.peer_path(host.peer, replace(path, kind=R, moved=MoveReason.PEER))
    town.net.run_until(lambda: host.said("lost"), 6)
    town.net.link(host.machine, town.server.host, cut=False)
    town.net.run_until(lambda: len(host.said("ready")) == 2, 30)
    town.close()


def test_a_second_path_that_dies_right_after_the_first_is_asked_about_too() -> None:
    """Of two losses within a few seconds the lobby's answer about the first says nothing about the second."""
    town = Town()
    host, _ = punched(town)
    path = host.peer.path
    assert path is not None
    news = replace(path, moved=MoveReason.LOST)  # made here; the path itself goes on, or its end would tell
    host.peer._user.peer_path(host.peer, news)
    town.net.advance(1)  # the lobby answers
    town.net.link(host.machine, town.server.host, cut=True)
    host.peer._user.peer_path(host.peer, news)
    town.net.run_until(lambda: host.said("lost"), 16)
    town.net.link(host.machine, town.server.host, cut=False)
    town.net.run_until(lambda: len(host.said("ready")) == 2, 30)
    town.close()


def test_two_guests_at_once() -> None:
    town = Town()
    host, one = town.pair("port-restricted", "port-restricted")
    two = town.player("eve", "open")
    town.net.run_until(lambda: two.said("ready"))
    one.party.join(GAME)
    two.party.join(GAME)
    town.net.run_until(lambda: one.ready and two.ready and len(host.ready) == 2, 3)
    mine, yours = numbered(200_000, 1), numbered(200_000, 2)
    one.open().send(mine, end=True)
    two.open().send(yours, end=True)
    town.net.run_until(lambda: len(host.chats) == 2 and all(chat.is_ended for chat in host.chats), 60)
    assert sorted(bytes(chat.got) for chat in host.chats) == sorted([mine, yours])
    town.net.run_until(lambda: one.kind is P and two.kind is not R, 5)
    one.party.close(lambda: None)
    town.net.run_until(lambda: [peer.name for peer, _ in host.gone] == ["bob"], 2)
    two.open().send(b"still here")
    town.net.run_until(lambda: host.chats[-1].got == b"still here", 2)
    town.players.remove(one)
    town.close()


def test_a_host_that_vanishes() -> None:
    town = Town()
    host, guest = punched(town)
    guest.open().send(b"hello")
    town.net.advance(1)
    host.machine.unplugged = True
    town.net.run_until(lambda: guest.gone, 90)
    assert "lost" in guest.gone[0][1]
    assert guest.chats == []
    assert guest.party.peers == ()
    town.players.remove(host)
    town.close()


def test_a_host_that_leaves_says_so() -> None:
    town = Town()
    host, guest = punched(town)
    chat = guest.open()
    chat.send(b"hello")
    town.net.advance(0.5)
    host.party.close(lambda: None)
    assert town.net.run_until(lambda: guest.gone and chat.broken, 5) < 0.5
    assert "left the game" in guest.gone[0][1]
    town.players.remove(host)
    town.close()


def test_who_is_banned_plays_no_more() -> None:
    town = Town()
    host, guest = town.joined()
    town.server.rig.sanctions.impose(Kind.BAN, Target.NAME, "bob", reason="", by="op", duration=600)
    town.server.sync()
    town.net.run_until(lambda: host.gone and guest.gone, 5)
    assert "removed" in host.gone[0][1]
    town.players.remove(guest)
    town.close()


def test_a_guest_whose_program_starts_again_takes_the_place_of_his_former_self() -> None:
    town = Town()
    host, guest = punched(town)
    guest.machine.unplugged = True  # no goodbye comes through
    guest.party.close(lambda: None)
    town.net.advance(3)
    guest.machine.unplugged = False
    town.net.advance(1)
    again = town.player("bob", "open")
    town.net.run_until(lambda: again.said("ready"), 30)
    again.party.join(GAME)
    town.net.run_until(lambda: again.ready and len(host.ready) == 2, 10)
    again.open().send(b"it is me")
    town.net.run_until(lambda: host.chats and host.chats[-1].got == b"it is me", 3)
    town.players.remove(guest)
    town.net.advance(70)
    assert len(host.party.peers) == 1
    town.close()


@pytest.mark.parametrize("seed", range(3))
def test_streams_byte_for_byte_over_paths_that_come_and_go(seed: int) -> None:
    town = Town(seed=seed)
    host, guest = punched(town)
    data, back = numbered(2_000_000, 3), numbered(1_000_000, 4)
    chat = guest.open()
    chat.send(data, end=True)
    town.net.run_until(lambda: host.chats, 2)
    host.chats[0].send(back, end=True)
    sent = []
    for turn in range(8):
        for number in range(10):
            sent.append(f"{turn}.{number}".encode())
            guest.peer.send_datagram(sent[-1])
        town.net.link(host.machine, guest.machine, cut=turn % 2 == 0, loss=0.02)
        town.net.advance(3)
    town.net.link(host.machine, guest.machine, cut=False, loss=0)
    town.net.run_until(lambda: host.chats[0].is_ended and chat.is_ended, 120)
    assert host.chats[0].got == data
    assert chat.got == back
    town.net.run_until(lambda: len(host.datagrams) >= len(sent), 10)
    assert sorted(host.datagrams) == sorted(sent)
    assert None not in kinds(guest)
    town.close()

"""Hosting and joining from the first word to the exit code."""

from __future__ import annotations

import msgspec
import pytest

from tests.support.simnet import SimNet
from tests.unit.client.forward.village import GAME, TcpGame, Village, clean
from wlnet.client.forward.grumbling import Grumbling
from wlnet.client.forward.host import Host
from wlnet.client.forward.places import Place, Target, Traffic, parse_place, parse_target
from wlnet.client.forward.reports import (
    Closed,
    Detail,
    Hosting,
    Joining,
    Listening,
    Lobby,
    LobbyLost,
    PathTaken,
    PeerGone,
    PeerHere,
    Report,
    SteeringEnded,
    Trouble,
)
from wlnet.client.forward.tally import Tally


def test_the_order_of_things_for_both() -> None:
    village = Village()
    ann, host, bob, guest = village.joined()
    village.net.advance(60)
    guest.close("You left.")
    village.until(lambda: bob.code is not None, 2.01)
    village.net.advance(1)
    host.close("You closed the game.")
    village.until(lambda: ann.code is not None, 2.01)
    kinds = [type(report) for report in bob.reports]
    assert kinds[:4] == [Listening, Lobby, Joining, PeerHere]
    assert kinds.index(PathTaken) < kinds.index(SteeringEnded)
    assert kinds[-2:] == [PeerGone, Closed]
    kinds = [type(report) for report in ann.reports]
    assert kinds[:3] == [Lobby, Hosting, PeerHere]
    assert kinds[-2:] == [PeerGone, Closed]
    (ended,) = bob.said(SteeringEnded)
    assert (ended.peer, ended.reason, ended.kind) == ("ann", "connected", "punched")
    assert "Connected" in ended.text


def test_every_report_is_a_line_of_json() -> None:
    village = Village()
    ann, host, bob, guest = village.joined()
    village.net.advance(60)
    for forwarding in (guest, host):
        forwarding.close("enough")
    village.until(lambda: ann.code is not None and bob.code is not None, 2.01)
    for report in (*ann.reports, *bob.reports):
        text = msgspec.json.encode(report)
        assert b"\n" not in text
        assert msgspec.json.decode(text)["event"] == report.__struct_config__.tag


def test_with_details_but_without_secrets() -> None:
    village = Village()
    village.listed()
    bob, _ = village.guest(verbose=True)
    village.until(lambda: bob.said(SteeringEnded), 90)
    types = [detail.message["type"] for detail in bob.said(Detail)]  # type: ignore[index]
    assert types[0] == "begin"
    assert {"plan", "settled", "ended"} <= set(types)
    text = msgspec.json.encode(bob.said(Detail))
    assert b"secret" not in text
    assert b"ticket" not in text


def test_a_game_that_is_not_there_and_which_are() -> None:
    village = Village()
    village.listed(game="Duel of ann")
    bob, _ = village.guest(game="duel of ann")
    village.until(lambda: bob.code is not None, 10)
    assert bob.code == 1
    (closed,) = bob.said(Closed)
    assert "capital and small letters count" in closed.reason
    assert "'Duel of ann'" in closed.reason
    village.net.advance(10)
    clean(bob)


def test_no_games_at_all() -> None:
    village = Village()
    bob, _ = village.guest()
    village.until(lambda: bob.code is not None, 10)
    assert "There are no games now." in bob.said(Closed)[0].reason


def test_a_name_of_a_game_that_is_taken() -> None:
    village = Village()
    village.listed()
    other, _ = village.host("otto")
    village.until(lambda: other.code is not None, 10)
    assert (other.code, "take another one" in other.said(Closed)[0].reason) == (1, True)


def test_no_lobby_at_all() -> None:
    village = Village()
    village.net.link(village.machine("x"), village.town.server.host)
    machine = village.machine("bob")
    village.net.link(machine, village.town.server.host, cut=True)
    bob, _ = village.guest(machine=machine)
    village.until(lambda: bob.code is not None, 45)
    assert bob.code == 1
    assert bob.said(LobbyLost)
    assert "cannot be reached" in bob.said(Closed)[0].reason
    clean(bob)


def test_when_the_host_closes_the_game_it_is_over_for_the_guest() -> None:
    village = Village()
    ann, host, bob, guest = village.joined()
    TcpGame(ann.machine)
    stream, call = village.dial(bob.machine, guest)
    stream.write(b"x")
    village.until(lambda: call.got)
    host.close("enough")
    village.until(lambda: bob.code is not None, 5)
    assert bob.code == 0
    assert call.end is not None
    assert call.end.reset
    assert "over" in bob.said(Closed)[0].reason


def test_a_host_who_was_cut_off_is_joined_again() -> None:
    village = Village()
    ann, _, bob, guest = village.joined()
    TcpGame(ann.machine)
    ann.machine.unplugged = True
    village.until(lambda: bob.said(PeerGone), 90)
    early, call = village.dial(bob.machine, guest)
    early.write(b"are you there")
    village.net.advance(10)
    ann.machine.unplugged = False
    village.until(lambda: len(bob.said(PeerHere)) == 2, 100)
    village.until(lambda: call.got == b"are you there", 10)
    assert bob.code is None


def test_a_host_who_does_not_come_back_is_given_up() -> None:
    village = Village()
    ann, _, bob, _ = village.joined(rejoin=30)
    ann.machine.unplugged = True
    village.until(lambda: bob.said(PeerGone), 90)
    village.until(lambda: bob.code is not None, 90)
    assert bob.code == 1
    assert "The host is gone" in bob.said(Closed)[0].reason


def test_the_game_goes_on_without_the_lobby() -> None:
    village = Village()
    ann, _, bob, guest = village.joined()
    TcpGame(ann.machine)
    village.net.advance(60)
    for program in (ann, bob):
        village.net.link(program.machine, village.town.server.host, cut=True)
    village.net.advance(700)
    assert "goes on" in bob.said(Trouble)[0].text
    assert "goes on" in ann.said(Trouble)[0].text
    stream, call = village.dial(bob.machine, guest)
    stream.write(b"still here")
    village.until(lambda: call.got == b"still here")
    guest.close("enough")
    village.until(lambda: ann.code is not None, 10)
    assert ann.code == 1


def test_a_game_that_cannot_be_listed_again_goes_on_for_those_who_are_there() -> None:
    village = Village()
    ann, host, bob, guest = village.joined()
    TcpGame(ann.machine)
    host.party_refused("publish", "The game cannot be opened: exists.")
    assert "goes on" in ann.said(Trouble)[0].text
    stream, call = village.dial(bob.machine, guest)
    stream.write(b"still here")
    village.until(lambda: call.got == b"still here")
    guest.close("enough")
    village.until(lambda: ann.code == 1, 10)
    assert "cannot be opened" in ann.said(Closed)[0].reason


def test_two_guests_of_one_host() -> None:
    village = Village()
    ann, host, bob, guest = village.joined()
    game = TcpGame(ann.machine)
    cleo, second = village.guest("cleo")
    village.until(lambda: cleo.said(PeerHere), 10)
    for program, one in ((bob, guest), (cleo, second)):
        stream, call = village.dial(program.machine, one)
        stream.write(program.machine.name.encode())
        village.until(lambda got=call, it=program: got.got == it.machine.name.encode())  # type: ignore[misc]
    assert len(game.calls) == 2
    assert {report.peer for report in ann.said(PathTaken)} == {"bob", "cleo"}
    second.close("enough")
    village.until(lambda: ann.said(PeerGone), 5)
    assert [peer.name for peer in host.guests] == ["bob"]


def test_the_wrong_kind_of_game() -> None:
    village = Village()
    village.listed(traffic="udp")
    bob, _ = village.guest(at="tcp:127.0.0.1:0")
    village.until(lambda: bob.code is not None, 15)
    assert bob.code == 1
    assert "speaks UDP; leave tcp: out" in bob.said(Closed)[0].reason


def test_a_game_ended_by_the_operators() -> None:
    village = Village()
    ann, _, _, _ = village.joined()
    lobby = village.town.server.rig.lobby
    game = lobby.hosting.find(GAME)
    assert game is not None
    lobby.hosting.end(game)
    village.until(lambda: ann.code is not None, 5)
    assert (ann.code, ann.said(Closed)[0].reason) == (0, "The lobby ended the game.")


def test_closed_before_anything_happened() -> None:
    village = Village()
    ann, host = village.host()
    bob, guest = village.guest()
    for forwarding in (host, guest):
        forwarding.close("enough")
        forwarding.close("more than enough")
    village.until(lambda: ann.code == 0 and bob.code == 0, 2.01)
    village.net.advance(60)
    clean(ann)
    clean(bob)
    assert ann.said(Closed)[0].reason == "enough"


def test_without_a_party_it_ends_too() -> None:
    net = SimNet()
    codes: list[int] = []
    machine = net.host("ann", ["192.0.2.9"])
    target = parse_target(Traffic.TCP, "127.0.0.1:1")
    Host(machine, GAME, target, lambda report: None, codes.append).close("enough")
    net.advance(0.1)
    assert codes == [0]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1:0", Place(None, "127.0.0.1", 0)),
        ("tcp:127.0.0.1:7396", Place(Traffic.TCP, "127.0.0.1", 7396)),
        ("udp:[::1]:5000", Place(Traffic.UDP, "::1", 5000)),
        ("localhost:1", Place(None, "127.0.0.1", 1)),
        ("0.0.0.0:9", Place(None, "0.0.0.0", 9)),
    ],
)
def test_places(text: str, place: Place) -> None:
    assert parse_place(text) == place
    assert place.is_loopback == (place.address != "0.0.0.0")


@pytest.mark.parametrize(
    "text", ["", "7396", "127.0.0.1", "::1:7396", "host:7396", "127.0.0.1:65536", "127.0.0.1:-1", "a:b:c"]
)
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        parse_place(text)


def test_targets() -> None:
    assert parse_target(Traffic.TCP, "localhost:7396") == Target(Traffic.TCP, ("127.0.0.1", "::1"), 7396)
    assert str(parse_target(Traffic.UDP, "[::1]:7396")) == "udp [::1]:7396"
    with pytest.raises(ValueError, match="from 1"):
        parse_target(Traffic.TCP, "127.0.0.1:0")


def test_trouble_is_told_now_and_then() -> None:
    told: list[Report] = []
    tally, grumbling = Tally(), Grumbling(told.append, 30)
    for second in range(61):
        grumbling.about("flows", "Too many.", tally, float(second))
    assert told == [
        Trouble(text="Too many."),
        Trouble(text="Too many. (31 times so far)"),
        Trouble(text="Too many. (61 times so far)"),
    ]

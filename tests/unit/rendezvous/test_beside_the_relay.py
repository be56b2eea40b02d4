"""A game on the Widelands relay whose host can also be met: released clients and others in one game."""

from __future__ import annotations

from tests.unit.rendezvous.rig import PRINT_A, PRINT_B, Guestbook, Speaker, only
from wlnet.protocols.exchange.messages import Join, ListGames, Publish, Unpublish
from wlnet.rendezvous.events import Begin, Ended, Games, ListedGame, Published, Refusal, Refused, Unpublished
from wlnet.steering.trace import EndReason

HOST_AT, GUEST_AT = "198.51.100.10", "198.51.100.20"


def hosted(book: Guestbook) -> tuple[Speaker, Speaker, str]:
    host, guest = book.player("ann", HOST_AT), book.player("bob", GUEST_AT)
    room = book.rig.host(host.client, "duel")
    told = host.say(Publish(game="duel", traffic="tcp", fingerprint=PRINT_A))
    assert told == [Published(game="duel")]
    book.wait(2)
    guest.news()
    return host, guest, room


def test_it_can_be_joined_both_ways() -> None:
    book = Guestbook()
    host, guest, _ = hosted(book)
    assert guest.client.games() == {"duel": "SETUP"}
    assert guest.say(ListGames()) == [Games(games=(ListedGame(game="duel", host="ann", traffic="tcp"),))]
    begin = only(guest.say(Join(game="duel", fingerprint=PRINT_B)), Begin)
    assert only(host.news(), Begin).fingerprint == PRINT_B
    assert begin.fingerprint == PRINT_A
    assert guest.client.say("GAME_CONNECT", "duel")[0][:2] == ("GAME_CONNECT", "127.0.0.1")


def test_unpublished_it_stays_on_the_relay() -> None:
    book = Guestbook()
    host, guest, room = hosted(book)
    guest.say(Join(game="duel", fingerprint=PRINT_B))
    host.news()
    assert only(host.say(Unpublish(game="duel")), Unpublished).game == "duel"
    assert only(guest.news(), Ended).reason is EndReason.GAME_ENDED
    assert guest.client.games() == {"duel": "SETUP"}
    assert room not in book.rig.relay.closed
    assert only(guest.say(Join(game="duel", fingerprint=PRINT_B)), Refused).code is Refusal.NO_SUCH_GAME
    assert host.say(Publish(game="duel", traffic="tcp", fingerprint=PRINT_A)) == [Published(game="duel")]


def test_the_end_of_its_room_is_the_end_of_both() -> None:
    book = Guestbook()
    host, guest, room = hosted(book)
    book.rig.lobby.hosting.room_closed(room)
    assert only(host.news(), Unpublished).game == "duel"
    assert only(guest.say(Join(game="duel", fingerprint=PRINT_B)), Refused).code is Refusal.NO_SUCH_GAME


def test_nobody_elses_game_can_be_published() -> None:
    book = Guestbook()
    _, guest, _ = hosted(book)
    refused = only(guest.say(Publish(game="duel", traffic="tcp", fingerprint=PRINT_B)), Refused)
    assert refused.code is Refusal.GAME_EXISTS


def test_before_login_the_extension_only_says_that_it_is_there() -> None:
    book = Guestbook()
    stranger = book.rig.connect("127.0.0.1")
    assert stranger.say("WLNET", "1") == [("WLNET",)]
    assert stranger.say("WLNET", "{}") == [("WLNET",)]
    assert stranger.login("carl")[0][:2] == ("LOGIN", "carl")
    assert book.desk.members == 0

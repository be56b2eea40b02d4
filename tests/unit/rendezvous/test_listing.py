"""Which peer games a player is told of."""

from __future__ import annotations

from tests.unit.rendezvous.rig import PRINT_A, PRINT_B, Guestbook, Speaker, only
from wlnet.metrics import Limit
from wlnet.protocols.exchange.messages import Join, ListGames, Publish, Unpublish
from wlnet.rendezvous.events import Begin, Games, ListedGame, Refusal, Refused


def hosting(book: Guestbook, name: str, game: str, traffic: str = "tcp") -> Speaker:
    host = Speaker(book.rig.player(name, announced=False))
    host.say(Publish(game=game, traffic=traffic, fingerprint=PRINT_A))  # type: ignore[arg-type]
    return host


def listed(speaker: Speaker) -> Games:
    return only(speaker.say(ListGames()), Games)


def test_the_games_of_others_in_order_and_what_was_listed_can_be_joined() -> None:
    book = Guestbook()
    ann, ben = hosting(book, "ann", "duel"), hosting(book, "ben", "race", "udp")
    duel = ListedGame(game="duel", host="ann", traffic="tcp")
    race = ListedGame(game="race", host="ben", traffic="udp")
    guest = book.player("cleo")
    assert listed(guest) == Games(games=(duel, race))
    assert listed(ann) == Games(games=(race,))
    assert listed(ben) == Games(games=(duel,))
    assert only(guest.say(Join(game="race", fingerprint=PRINT_B)), Begin).traffic == "udp"


def test_nothing_that_is_over_whose_host_is_away_or_that_goes_over_the_relay() -> None:
    book = Guestbook()
    ann, ben = hosting(book, "ann", "duel"), hosting(book, "ben", "race")
    book.rig.host(book.rig.player("dora"), "old game")
    guest = book.player("cleo")
    ann.say(Unpublish(game="duel"))
    ben.client.cut()
    assert listed(guest) == Games(games=())
    hosting(book, "ben", "race")
    assert listed(guest) == Games(games=(ListedGame(game="race", host="ben", traffic="tcp"),))


def test_a_list_has_so_many_games() -> None:
    book = Guestbook(games_listed=2)
    for number in range(3):
        hosting(book, f"host{number}", f"game{number}")
    games = listed(book.player("cleo"))
    assert ([one.game for one in games.games], games.more) == (["game0", "game1"], True)
    games = listed(hosting(book, "dora", "game3"))
    assert (len(games.games), games.more) == (2, True)


def test_a_list_fits_into_a_packet_whatever_the_names() -> None:
    book = Guestbook(games_listed=1000)
    for number in range(300):
        # JSON doubles quotation marks.
        hosting(book, f"{'h' * 36}{number}", f"{number:03}".ljust(80, '"'))
    games = listed(book.player("cleo"))
    assert games.more
    assert 150 < len(games.games) < 300


def test_asking_is_rate_limited_and_does_not_keep_from_joining() -> None:
    book = Guestbook(join_rate=0.5, join_burst=2)
    hosting(book, "ann", "duel")
    guest = book.player("cleo")
    listed(guest), listed(guest)
    refused = only(guest.say(ListGames()), Refused)
    assert (refused.of, refused.code) == ("list", Refusal.TOO_FAST)
    assert book.limited(Limit.LIST_RATE) == 1
    only(guest.say(Join(game="duel", fingerprint=PRINT_B)), Begin)
    book.wait(2.1)
    assert listed(guest).games

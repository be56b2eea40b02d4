"""What goes through between the game and the lobby, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlnet.agent.passage import Connecting, Greeted, Heard, Left, Opened, Passage, Seated
from wlnet.protocols.exchange.messages import Hello, ListGames, Publish
from wlnet.protocols.exchange.messages import encode as message
from wlnet.protocols.metaserver.wire import encode
from wlnet.rendezvous.events import Published

HERE = ("127.0.0.1", "::1")
HELLO = Hello(version=1, address="198.51.100.1", observe=(), message_size=500, candidates=8)


def seated() -> Passage:
    """A game that is logged in by way of a passage, at a server with the exchange."""
    passage = Passage(exchange=True, here=HERE)
    passage.game_said(encode("LOGIN", "6", "ann", "1.1", "false", "nonce"))
    assert passage.to_server() == encode("LOGIN", "6", "ann", "1.1", "false", "nonce")
    passage.server_said(encode("LOGIN", "ann", "UNREGISTERED") + encode("TIME", "1"))
    assert passage.to_game() == encode("LOGIN", "ann", "UNREGISTERED") + encode("TIME", "1")
    assert passage.to_server() == encode("WLNET", "1")
    assert passage.events() == [Seated(name="ann", key="ann nonce")]
    passage.server_said(encode("WLNET", "1", message(HELLO)))
    assert passage.to_game() == b""
    assert passage.events() == [Greeted(hello=HELLO)]
    assert passage.negotiated
    return passage


def test_the_game_sees_nothing_of_the_exchange() -> None:
    passage = seated()
    passage.say(ListGames())
    assert passage.to_server() == encode("WLNET", message(ListGames()))
    passage.server_said(
        encode("WLNET", message(Published(game="duel")))
        + encode("ERROR", "WLNET", "MALFORMED_MESSAGE")
        + encode("WLNET", '{"type":"of the future"}')
        + encode("PING")
    )
    assert passage.to_game() == encode("PING")
    assert passage.events() == [Heard(told=Published(game="duel"))]


def test_a_message_the_server_would_not_take_is_not_sent() -> None:
    passage = seated()
    with pytest.raises(ValueError, match="characters"):
        passage.say(Publish(game="x" * 600, traffic="tcp", fingerprint="a" * 64))
    assert passage.to_server() == b""


def test_opening_a_game_points_to_the_agent() -> None:
    passage = seated()
    passage.game_said(encode("GAME_OPEN", "duel"))
    assert passage.to_server() == encode("GAME_OPEN", "duel")
    passage.server_said(
        encode("GAMES_UPDATE") + encode("GAME_OPEN", "cafe", "203.0.113.1", "true", "2001:db8::1")
    )
    assert passage.to_game() == encode("GAMES_UPDATE") + encode("GAME_OPEN", "cafe", *HERE[:1], "true", "::1")
    assert passage.events() == [Opened(game="duel", relays=("203.0.113.1", "2001:db8::1"))]


def test_a_refused_game_is_not_taken_for_the_next_one() -> None:
    passage = seated()
    passage.game_said(encode("GAME_OPEN", "taken") + encode("GAME_OPEN", "free"))
    passage.server_said(encode("ERROR", "GAME_OPEN", "GAME_EXISTS"))
    passage.server_said(encode("GAME_OPEN", "cafe", "203.0.113.1", "false"))
    assert passage.events() == [Opened(game="free", relays=("203.0.113.1",))]
    assert encode("ERROR", "GAME_OPEN", "GAME_EXISTS") in passage.to_game()


@pytest.mark.parametrize("here", [True, False])
def test_joining_waits_until_it_is_known_how(here: bool) -> None:
    passage = seated()
    passage.game_said(encode("GAME_CONNECT", "duel"))
    answer = encode("GAME_CONNECT", "203.0.113.1", "false")
    passage.server_said(answer + encode("CLIENTS_UPDATE"))
    assert passage.to_game() == encode("CLIENTS_UPDATE")
    assert passage.events() == [Connecting(game="duel", relays=("203.0.113.1",))]
    passage.direct("duel", here=here)
    assert passage.to_game() == (encode("GAME_CONNECT", "127.0.0.1", "true", "::1") if here else answer)
    passage.direct("duel", here=True)
    assert passage.to_game() == b""


def test_leaving_is_noticed() -> None:
    passage = seated()
    passage.game_said(encode("GAME_DISCONNECT"))
    assert passage.events() == [Left()]
    assert passage.to_server() == encode("GAME_DISCONNECT")


def test_games_held_back_are_bounded() -> None:
    passage = seated()
    for number in range(40):
        passage.game_said(encode("GAME_CONNECT", f"game{number}"))
        passage.server_said(encode("GAME_CONNECT", "203.0.113.1", "false"))
    assert passage.to_game() == encode("GAME_CONNECT", "203.0.113.1", "false") * 24


@pytest.mark.parametrize(
    "beginning",
    [
        encode("LOGIN", "0", "old", "build-19", "false"),
        encode("WLNET", "1"),
        b"\0\1",
    ],
)
def test_what_is_not_for_us_goes_through_untouched(beginning: bytes) -> None:
    passage = Passage(exchange=True, here=HERE)
    passage.game_said(beginning)
    answers = encode("LOGIN", "old", "UNREGISTERED") + encode("WLNET", "1", "{}") + b"\0\0\1"
    passage.server_said(answers)
    assert passage.to_server() == beginning
    assert passage.to_game() == answers
    assert passage.events() == []


def test_nonsense_of_the_server_goes_through_from_its_first_byte() -> None:
    passage = Passage(exchange=True, here=HERE)
    passage.server_said(encode("TIME", "1") + b"\0\1nonsense")
    passage.server_said(b"more")
    assert passage.to_game() == encode("TIME", "1") + b"\0\1nonsensemore"


pieces = st.lists(st.binary(max_size=40), max_size=20)


@given(pieces, pieces)
def test_a_server_without_the_exchange_sees_an_honest_proxy(game: list[bytes], server: list[bytes]) -> None:
    passage = Passage(exchange=False, here=HERE)
    for piece in game:
        passage.game_said(piece)
    for piece in server:
        passage.server_said(piece)
    assert passage.to_server() == b"".join(game)
    assert passage.to_game() == b"".join(server)
    assert passage.events() == []


@given(
    st.lists(st.one_of(st.binary(max_size=12), st.sampled_from([encode("PING"), encode("CHAT", "x", "")])))
)
def test_before_login_every_byte_goes_through_in_whatever_pieces(server: list[bytes]) -> None:
    passage = Passage(exchange=True, here=HERE)
    for piece in server:
        passage.server_said(piece)
    said = b"".join(server)
    assert said.startswith(passage.to_game())

"""Asking a lobby whether it has the exchange."""

from __future__ import annotations

import pytest

from tests.support.simnet import SimNet
from tests.unit.agent.lobbies import ADDRESS, PORT, Caller, Lobby
from wlnet.agent.question import Question
from wlnet.client.net.network import TlsOptions
from wlnet.protocols.metaserver.wire import encode

Answers = list[bool | str]


def asked(net: SimNet, lobby: Lobby | None, answers: Answers, tls: TlsOptions | None = None) -> Question:
    host = net.host("ann", ["198.51.100.1"])
    return Question(host, [ADDRESS], PORT, answers.append, tls=tls, connect=8.0, answer=3.0)


def script(said: bytes, *, end: bool) -> Answers:
    net = SimNet()
    lobby = Lobby(net)

    def answer(caller: Caller, data: bytes) -> None:
        for at in range(len(said)):  # byte by byte
            net.call_later(0.01 * at, lambda at=at: caller.stream.write(said[at : at + 1]))  # type: ignore[misc]
        if end:
            net.call_later(1.0, caller.stream.close)

    lobby.script = answer
    answers: Answers = []
    question = asked(net, lobby, answers)
    net.advance(10)
    assert lobby.callers[0].got == encode("WLNET", "1")
    assert net.hosts["ann"].open == 0
    assert question.certain is bool(said)
    return answers


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (encode("WLNET"), True),
        (encode("ERROR", "GARBAGE_RECEIVED", "INVALID_CMD"), False),
        (encode("WLNE"), False),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100, False),
        (encode("WLNET")[:-1], False),
        (b"", False),
    ],
)
@pytest.mark.parametrize("end", [True, False])
def test_answers(said: bytes, known: bool, end: bool) -> None:
    assert script(said, end=end) == [known]


def test_nobody_there() -> None:
    net = SimNet()
    lobby = Lobby(net)
    lobby.down()
    answers: Answers = []
    asked(net, lobby, answers)
    net.advance(10)
    assert answers == ["Connection refused"]


def test_a_certificate_that_is_not_trusted() -> None:
    net = SimNet()
    net.untrusted_names.add("lobby.example.org")
    answers: Answers = []
    asked(net, Lobby(net), answers, TlsOptions(name="lobby.example.org"))
    net.advance(10)
    assert answers == ["certificate: not trusted"]


@pytest.mark.parametrize("after", [0.0, 0.015, 1.0, 5.0])
def test_given_up_it_says_nothing_more(after: float) -> None:
    net = SimNet()
    lobby = Lobby(net)
    lobby.script = lobby.silent
    answers: Answers = []
    question = asked(net, lobby, answers)
    net.advance(after)
    so_far = list(answers)
    question.cancel()
    question.cancel()
    net.advance(10)
    assert answers == so_far == ([False] if after > 3 else [])
    assert net.hosts["ann"].open == 0

"""What the operator is told at start."""

from __future__ import annotations

from collections.abc import Mapping

from wlnet.config.load import load
from wlnet.service.advice import Advice, start_advice
from wlnet.service.listening import Bound

PUBLIC = {4: "198.41.0.4", 6: "2001:500::1"}
LAN = {4: "192.168.1.5", 6: None}


def advise(
    *overrides: str,
    lobby: int = 7395,
    relay: int = 7397,
    own: Mapping[int, str | None] = PUBLIC,
) -> list[Advice]:
    config = load("/dev/null", overrides)
    bound = []
    if "lobby" in config.server.roles:
        bound += [Bound("lobby", "tcp", host, lobby) for host in config.lobby.listen]
    if "relay" in config.server.roles:
        bound += [Bound("relay", "tcp", host, relay) for host in config.relay.listen]
    elif "lobby" in config.server.roles:
        bound.append(Bound("link", "tcp", config.link.listen, 7398))
    return start_advice(config, bound, own.get)


def warnings(advice: list[Advice]) -> list[str]:
    return [one.text for one in advice if one.warning]


def test_a_public_machine_needs_no_warning() -> None:
    advice = advise()
    assert [one.text for one in advice] == [
        "Players reach the lobby at 198.41.0.4 or 2001:500::1, port 7395.",
        "To play, start Widelands with: widelands --metaserver=198.41.0.4",
        (
            "Players are told to find the relay at 198.41.0.4 and 2001:500::1 "
            "(or the address they reach the lobby at), port 7397."
        ),
    ]
    assert warnings(advice) == []


def test_another_lobby_port_is_in_the_command() -> None:
    assert any("--metaserver=198.41.0.4 --metaserverport=7000" in one.text for one in advise(lobby=7000))


def test_another_relay_port_is_warned_about() -> None:
    (text,) = warnings(advise(relay=7000))
    assert "7397 whatever the server says" in text
    assert "change relay.port" in text


def test_a_private_address_is_warned_about_unless_a_public_one_is_told() -> None:
    (text,) = warnings(advise(own=LAN))
    assert text.startswith("192.168.1.5 is no public address")
    assert "set relay.public_addresses" in text
    assert warnings(advise("relay.public_addresses=198.41.0.4", own=LAN)) == []
    (text,) = warnings(advise("relay.public_addresses=10.0.0.1", own=LAN))
    assert text.startswith("10.0.0.1 is no public address")


def test_loopback_only_is_warned_about() -> None:
    texts = warnings(advise("lobby.listen=127.0.0.1", "relay.listen=127.0.0.1"))
    assert texts[0].startswith("Only players on this machine reach it")


def test_a_machine_without_addresses() -> None:
    assert len(warnings(advise(own={4: None, 6: None}))) == 2


def test_two_processes() -> None:
    lobby = [one.text for one in advise("server.roles=lobby")]
    assert any(
        "Relays link to this lobby at 127.0.0.1, port 7398" in text and "link.secret" in text
        for text in lobby
    )
    relay = [one.text for one in advise("server.roles=relay", "link.lobby=192.0.2.9:7398")]
    assert any("The lobby is looked for at 192.0.2.9:7398" in text for text in relay)
    assert not any("reach the lobby at 1" in text for text in relay)

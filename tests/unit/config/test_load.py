"""What a person who made a mistake in the configuration is told."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlnet.config.load import ConfigError, add_config_arguments, load
from wlnet.config.schema import Config


def refused(tmp_path: Path, text: str, *overrides: str) -> list[str]:
    file = tmp_path / "w.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(str(file), overrides)
    return str(caught.value).replace(str(file), "FILE").splitlines()


def accepted(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "w.toml"
    file.write_text(text, encoding="utf-8")
    return load(str(file))


def test_no_file_gives_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None) == Config()


def test_the_file_of_the_current_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wlnet.toml").write_text("[lobby]\nport = 1\n")
    assert load(None).lobby.port == 1


def test_units(tmp_path: Path) -> None:
    config = accepted(
        tmp_path,
        """
        [lobby]
        ping_interval = "500ms"
        silence_timeout = 15
        login_deadline = "2h"
        login_silence_timeout = "5min"
        lost_session_lifetime = "1d"
        [limits]
        lobby_packet = 10_000
        lobby_queue = "64KiB"
        total_queues = "10MB"
        """,
    )
    lobby, limits = config.lobby, config.limits
    assert (lobby.ping_interval, lobby.silence_timeout, lobby.login_deadline) == (0.5, 15.0, 7200.0)
    assert (lobby.login_silence_timeout, lobby.lost_session_lifetime) == (300.0, 86400.0)
    assert (limits.lobby_packet, limits.lobby_queue, limits.total_queues) == (10_000, 65536, 10_000_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # values
        (
            "[lobby]\nport = 70000",
            "FILE:2: lobby.port: 70000 is out of range (allowed: a whole number from 0 to 65535)",
        ),
        ("[lobby]\nport = true", "FILE:2: lobby.port: true is true or false (allowed: a whole number from"),
        ('[lobby]\n\n\nport = "x"', 'FILE:4: lobby.port: "x" is text (allowed: a whole number'),
        (
            "[lobby]\nmotd = 5",
            "FILE:2: lobby.motd: 5 is a whole number (allowed: text of at most 1000 characters)",
        ),
        ("[lobby]\nping_interval = nan", "FILE:2: lobby.ping_interval: nan is no usable number"),
        ("[lobby]\nping_interval = 0", "FILE:2: lobby.ping_interval: 0 is out of range"),
        (
            '[lobby]\nping_interval = "15m"',
            'FILE:2: lobby.ping_interval: "m" is no unit (did you mean "15min"; allowed: ms,',
        ),
        (
            '[lobby]\nping_interval = "15"',
            'FILE:2: lobby.ping_interval: "15" has no unit (allowed: seconds as a number',
        ),
        (
            '[limits]\nlobby_queue = "1 furlong"',
            'FILE:2: limits.lobby_queue: "furlong" is no unit (allowed: B,',
        ),
        ("[limits]\nlobby_queue = 1.5", "FILE:2: limits.lobby_queue: 1.5 is a number with a fraction"),
        (
            '[logging]\nformat = "txt"',
            'FILE:2: logging.format: "txt" is unknown (did you mean "text"; allowed: ',
        ),
        (
            '[server]\nroles = [\n "lobby",\n "rely",\n]',
            'FILE:4: server.roles: "rely" is unknown (did you mean "relay"',
        ),
        ("[lobby]\nlisten = []", "FILE:2: lobby.listen: 0 entries are too few"),
        ('[lobby]\nmotd = "a\\u0000b"', 'FILE:2: lobby.motd: "a\\u0000b" has a control character'),
        # keys and sections
        ("[lobby]\nprot = 1", "FILE:2: lobby.prot: unknown key (did you mean port?)"),
        (
            "[lobby]\nfirst_ping = 1",
            "FILE:2: lobby.first_ping: unknown key here (did you mean first_ping in",
        ),
        ("\n[loby]\nport = 1", "FILE:2: loby: unknown section (did you mean [lobby]; there are: server,"),
        ("motd = 'x'", "FILE:1: motd: this key belongs in a section (did you mean motd in [lobby]?)"),
        ("lobby = 1", "FILE:1: lobby: this is a section: write [lobby]"),
        # twice
        (
            "[lobby]\nport=1\n\nport=2",
            "FILE:4: lobby.port: is there twice, first on line 2 (remove one of them)",
        ),
        (
            "[lobby]\nport=1\n[relay]\n[lobby]",
            "FILE:4: lobby: is there twice, first on line 1 (remove one of them)",
        ),
        # syntax
        ("[lobby]\nport =\n", "FILE:2: lobby.port: this is no TOML: "),
        ("[lobby]\nmotd = hello\n", "FILE:2: lobby.motd: this is no TOML: invalid value (text needs quotes"),
        ('[lobby]\nmotd = "abc\n', "FILE:2: lobby.motd: this is no TOML: "),
        (
            '[lobby]\nlisten = ["::",\nport = 3',
            "FILE:3: lobby.listen: this is no TOML: invalid value (is the value that begins on line 2",
        ),
        ("[lobby\nport = 1", "FILE:1: lobby: this is no TOML: "),
        ("[lobby]\nlisten = " + "[" * 5000, "FILE:1: lists or tables are nested too deeply"),
        # addresses and networks
        (
            '[lobby]\nlisten = ["::",\n "localhost"]',
            'FILE:3: lobby.listen: "localhost" is no IP address (did you mean "127.0.0.1"',
        ),
        (
            '[lobby]\nlisten = ["::ffff:1.2.3.4"]',
            'FILE:2: lobby.listen: "::ffff:1.2.3.4" is an IPv4 address in IPv6 dress',
        ),
        ('[lobby]\nlisten = ["::", "::"]', 'FILE:2: lobby.listen: "::" is there twice'),
        (
            '[link]\nlisten = "*"',
            'FILE:2: link.listen: "*" is no IP address (did you mean "0.0.0.0" and "::"',
        ),
        (
            '[relay]\npublic_addresses = ["1.2.3.4",\n"1.2.3.5"]',
            'FILE:3: relay.public_addresses: "1.2.3.5" is the second IPv4 address (allowed: one',
        ),
        (
            '[relay]\npublic_addresses = ["0.0.0.0"]',
            'FILE:2: relay.public_addresses: "0.0.0.0" cannot',
        ),
        (
            '[limits]\ntrusted_networks = ["10.1.2.3/8"]',
            'FILE:2: limits.trusted_networks: "10.1.2.3/8" is no network (did you mean "10.0.0.0/8"',
        ),
        ('[link]\nlobby = "lobby.example.org"', 'FILE:2: link.lobby: "lobby.example.org" is no HOST:PORT'),
        (
            '[database]\nurl = "x.db"',
            'FILE:2: database.url: is no SQLAlchemy URL (did you mean "sqlite:///x.db"',
        ),
        # settings that do not fit each other
        ('[server]\nroles = ["relay", "relay"]', "FILE:2: server.roles: a role is there twice"),
        ("[relay]\nport = 7395", "FILE:2: relay.port: 7395 is both lobby.port and relay.port"),
        ("[web]\nport = 7395", "FILE:2: web.port: 7395 is both lobby.port and web.port"),
        (
            '[web]\nstatus_listen = ["::"]\nstatus_port = 8080',
            "FILE:3: web.status_port: 8080 is both web.port and web.status_port",
        ),
        ('[web]\nlisten = ["localhost"]', 'FILE:2: web.listen: "localhost" is no IP address'),
        (
            '[web]\nstatus_origin = "https://example.org/games"',
            'FILE:2: web.status_origin: "https://example.org/games" is no origin',
        ),
        ('[web]\nstatus_origin = "*\\r\\nX: y"', "FILE:2: web.status_origin: "),
        ("[stun]\nport = 3479", "FILE:2: stun.port: 3479 is both stun.port and stun.second_port"),
        ('[tls]\nkey = "x.key"', "FILE:2: tls.key: needs tls.certificate as well"),
        ('[tls]\ncertificate = "x.pem"', "FILE:2: tls.certificate: needs tls.key as well"),
        (
            '[tls]\ncertificate = "x.pem"\nkey = "x.key"\nlobby_port = 7395',
            "FILE:4: tls.lobby_port: 7395 is both lobby.port and tls.lobby_port",
        ),
        (
            '[tls]\ncertificate = "x.pem"\nkey = "x.key"\npairs_port = 3479',
            "FILE:4: tls.pairs_port: 3479 is both stun.second_port and tls.pairs_port",
        ),
        (
            "[stun]\nsecond_port = 7397",
            "FILE:2: stun.second_port: 7397 is both relay.port and stun.second_port",
        ),
        (
            '[stun]\nsecond_addresses = ["192.0.2.1", "192.0.2.2"]',
            'FILE:2: stun.second_addresses: "192.0.2.2" is the second IPv4 address',
        ),
        (
            '[relay]\npublic_addresses = ["192.0.2.1"]\n[stun]\nsecond_addresses = ["192.0.2.1"]',
            'FILE:4: stun.second_addresses: "192.0.2.1" is the first address already',
        ),
        (
            "[lobby]\nsilence_timeout = 10",
            "FILE:2: lobby.silence_timeout: lobby.silence_timeout (10s) must be longer than",
        ),
        (
            "[link]\nkeepalive = 20",
            "FILE:2: link.keepalive: link.dead_after (15s) must be longer than link.keepalive (20s)",
        ),
        (
            "[lobby]\nping_interval = 240\nsilence_timeout=300\nlogin_silence_timeout=300",
            "FILE:2: lobby.ping_interval: must be under 240 s",
        ),
        (
            "[limits]\nlobby_packet = 1000",
            "FILE:2: limits.lobby_packet: limits.lobby_packet_before_login (2KiB) must",
        ),
        (
            "[limits]\nchat_length = 16000",
            "FILE:2: limits.chat_length: a chat line of 16000 bytes does not fit",
        ),
        (
            '[server]\nroles = ["lobby"]\n[link]\nsecret_file = ""',
            "FILE:4: link.secret_file: a process that is only one",
        ),
        ('[lobby]\nmotd = "' + "ä" * 900 + '"', "FILE:2: lobby.motd: the text has 1800 bytes"),
    ],
)
def test_a_mistake_is_told_with_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    assert refused(tmp_path, text)[0].startswith(expected)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    lines = refused(tmp_path, "[lobby]\nport = -1\nprot = 1\n[nope]\n", "relay.port=x")
    assert [line.split(": ")[:2] for line in lines] == [
        ["FILE:2", "lobby.port"],
        ["FILE:3", "lobby.prot"],
        ["FILE:4", "nope"],
        ["--set relay.port", '"x" is text (allowed'],
    ]


@pytest.mark.parametrize(
    ("override", "read", "expected"),
    [
        ("lobby.motd=hello world", lambda c: c.lobby.motd, "hello world"),
        ("lobby.motd=5", lambda c: c.lobby.motd, "5"),
        ('lobby.motd="a=b"', lambda c: c.lobby.motd, "a=b"),
        ("lobby.motd=", lambda c: c.lobby.motd, ""),
        ("lobby.listen=127.0.0.1", lambda c: c.lobby.listen, ("127.0.0.1",)),
        ("lobby.listen=::1,127.0.0.1", lambda c: c.lobby.listen, ("::1", "127.0.0.1")),
        ('lobby.listen=["::1"]', lambda c: c.lobby.listen, ("::1",)),
        ("relay.public_addresses=", lambda c: c.relay.public_addresses, ()),
        ("lobby.silence_timeout=1min", lambda c: c.lobby.silence_timeout, 60.0),
        ("limits.lobby_queue=1MiB", lambda c: c.limits.lobby_queue, 1048576),
        ("logging.shorten_addresses=true", lambda c: c.logging.shorten_addresses, True),
        ("server.roles=relay", lambda c: c.server.roles, ("relay",)),
    ],
)
def test_overrides(override: str, read: object, expected: object) -> None:
    assert callable(read)
    assert read(load("/dev/null", [override])) == expected


def test_an_override_wins_over_the_file_and_over_a_mistake_of_another_key(tmp_path: Path) -> None:
    file = tmp_path / "w.toml"
    file.write_text("[lobby]\nport = 1\nsilence_timeout = 5\n")
    config = load(str(file), ["lobby.port=2", "lobby.ping_interval=1"])
    assert (config.lobby.port, config.lobby.silence_timeout) == (2, 5.0)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("nope", "--set nope: write it as section.key=value"),
        ("a.b=1", "--set a.b: unknown section"),
        ("lobby.prt=1", "--set lobby.prt: unknown key (did you mean port?)"),
        ("lobby.listen=localhost", '--set lobby.listen: "localhost" is no IP address'),
        ("lobby.port=1\nmotd = 'x'", '--set lobby.port: "1\\u000amotd'),
    ],
)
def test_a_bad_override_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load("/dev/null", [override])
    assert str(caught.value).startswith(message)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"[lobby]\nmotd = '\xe4'\n")
    (tmp_path / "big.toml").write_bytes(b"#" * (1024 * 1024 + 1))
    for name, message in {
        "none.toml": ": there is no such file (make one: wlnet config init",
        ".": ": cannot be read: Is a directory",
        "latin.toml": ":2: the file is not in UTF-8",
        "big.toml": ": is longer than 1 MiB",
    }.items():
        with pytest.raises(ConfigError) as caught:
            load(str(tmp_path / name))
        assert str(caught.value).startswith(str(tmp_path / name) + message)


def test_windows_line_ends_and_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "w.toml"
    file.write_bytes(b"\xef\xbb\xbf[lobby]\r\n# comment\r\nport = 99999\r\n")
    with pytest.raises(ConfigError, match=r":3: lobby\.port: 99999"):
        load(str(file))


_JUNK = st.text(st.sampled_from("[]{}=,.#'\"\\ \n\tab1lobby"), max_size=60)


@given(st.one_of(st.text(max_size=200), _JUNK, _JUNK.map(lambda junk: "[lobby]\nport = 1\n" + junk)))
def test_any_text_gives_a_configuration_or_a_message_with_a_line(text: str) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(text.encode("utf-8", "replace"))
        file.flush()
        try:
            config = load(file.name)
        except ConfigError as error:
            for line in error.problems:
                place = line.removeprefix(file.name).split(":")
                assert int(place[1]) >= 1, line
        else:
            assert isinstance(config, Config)


def test_the_arguments_of_every_command() -> None:
    parser = argparse.ArgumentParser()
    add_config_arguments(parser)
    arguments = parser.parse_args(["--config", "x", "--set", "lobby.port=1", "--set", "relay.port=2"])
    assert (arguments.config, arguments.set) == ("x", ["lobby.port=1", "relay.port=2"])
    assert parser.parse_args([]).set == []


def test_ports_of_tls_count_only_if_they_are_used() -> None:
    files = ("tls.certificate=x.pem", "tls.key=x.key")
    load("/dev/null", ("tls.lobby_port=7395", "tls.pairs_port=7397"))
    load("/dev/null", (*files, 'tls.services=["pairs"]', "tls.lobby_port=7395"))
    load("/dev/null", (*files, 'tls.services=["lobby"]', "tls.pairs_port=7397"))

"""Listening sockets of the operating system."""

from __future__ import annotations

import io
import json
import os
import resource
import socket
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from wlnet import __version__
from wlnet.config.load import load
from wlnet.service.listening import Bound, ListenError, Listening, listen, raise_open_files_limit, report


class Greeter(Protocol):
    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")
        self.transport.loseConnection()


class Reader(Protocol):
    def __init__(self) -> None:
        self.text = b""
        self.done: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.text += data

    def connectionLost(self, reason: object = None) -> None:
        self.done.callback(self.text)


def _listen(test: TestCase, addresses: list[str], port: int = 0, name: str = "lobby") -> Listening:
    listening = listen(reactor, name, addresses, port, ServerFactory.forProtocol(Greeter))  # type: ignore[arg-type]
    test.addCleanup(listening.stop)
    return listening


def _warnings(test: TestCase) -> list[str]:
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_namespace", "").startswith("wlnet"):
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]
    test.addCleanup(globalLogPublisher.removeObserver, observe)  # type: ignore[arg-type]
    return lines


def _occupy(test: TestCase, family: int, host: str) -> int:
    taken = socket.socket(family)
    test.addCleanup(taken.close)
    if family == socket.AF_INET6:
        taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    taken.bind((host, 0))
    taken.listen(1)
    return int(taken.getsockname()[1])


def _refusing(address_family: int, number: int) -> Callable[..., socket.socket]:
    real = socket.socket

    def make(family: int = socket.AF_INET, *rest: int) -> socket.socket:
        if family == address_family:
            raise OSError(number, os.strerror(number))
        return real(family, *rest)

    return make


class ListenTest(TestCase):
    timeout = 20

    @inlineCallbacks
    def test_both_families_share_a_port_and_work(self):  # type: ignore[no-untyped-def]
        listening = _listen(self, ["0.0.0.0", "::"])
        assert [one.host for one in listening.bound] == ["0.0.0.0", "::"]
        assert {one.port for one in listening.bound} == {listening.port}
        for host in ("127.0.0.1", "::1"):
            reader = Reader()
            yield connectProtocol(HostnameEndpoint(reactor, host, listening.port), reader)
            text = yield reader.done
            assert text == b"hello"

    @inlineCallbacks
    def test_stopping_frees_the_port_at_once(self):  # type: ignore[no-untyped-def]
        first = _listen(self, ["127.0.0.1", "::1"])
        reader = Reader()  # leaves a connection in TIME_WAIT on the server's side
        yield connectProtocol(HostnameEndpoint(reactor, "127.0.0.1", first.port), reader)
        yield reader.done
        yield first.stop()
        assert _listen(self, ["127.0.0.1", "::1"], first.port).port == first.port

    def test_the_queue_of_new_connections_is_long(self) -> None:
        listening = _listen(self, ["127.0.0.1"])
        clients = [socket.create_connection(("127.0.0.1", listening.port), 5) for _ in range(300)]
        for client in clients:
            client.close()

    def test_a_port_in_use_is_told_with_the_setting(self) -> None:
        port = _occupy(self, socket.AF_INET, "127.0.0.1")
        with pytest.raises(ListenError) as caught:
            _listen(self, ["127.0.0.1"], port, "relay")
        assert str(caught.value) == (
            f"relay.port: 127.0.0.1:{port} is in use by another program (stop that one, or change relay.port)"
        )

    def test_a_port_in_use_in_one_family_leaves_nothing_open_in_the_other(self) -> None:
        port = _occupy(self, socket.AF_INET6, "::1")
        with pytest.raises(ListenError) as caught:
            _listen(self, ["127.0.0.1", "::1"], port)
        assert f"[::1]:{port} is in use" in str(caught.value)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)

    def test_a_free_port_is_free_in_all_families(self) -> None:
        taken = _occupy(self, socket.AF_INET6, "::1")
        free = socket.socket()
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        answers = iter([taken, port])
        real = socket.getaddrinfo

        def pick(host: str, number: int, **options: int) -> object:
            # The system "picks" a port that is taken in the other family, and then a free one.
            return real(host, next(answers) if number == 0 else number, **options)

        with mock.patch.object(socket, "getaddrinfo", pick):
            assert _listen(self, ["127.0.0.1", "::1"]).port == port

    def test_looking_for_a_free_port_ends(self) -> None:
        taken = _occupy(self, socket.AF_INET, "127.0.0.1")
        real = socket.getaddrinfo
        with (
            mock.patch.object(
                socket, "getaddrinfo", lambda host, _number, **options: real(host, taken, **options)
            ),
            pytest.raises(ListenError) as caught,
        ):
            _listen(self, ["127.0.0.1"])
        assert "no free port could be found" in str(caught.value)

    def test_a_missing_family_is_warned_about_if_the_other_works(self) -> None:
        lines = _warnings(self)
        with mock.patch.object(socket, "socket", _refusing(socket.AF_INET6, 97)):
            listening = _listen(self, ["0.0.0.0", "::"])
        assert [one.host for one in listening.bound] == ["0.0.0.0"]
        assert lines == [
            (
                "lobby.listen: not listening on ::: this machine has no IPv6 "
                "(Address family not supported by protocol)"
            )
        ]

    def test_no_family_at_all_is_an_error(self) -> None:
        with (
            mock.patch.object(socket, "socket", _refusing(socket.AF_INET6, 97)),
            pytest.raises(ListenError) as caught,
        ):
            _listen(self, ["::"])
        assert str(caught.value).startswith("lobby.listen: this machine has no IPv6")

    def test_an_address_of_another_machine_is_an_error(self) -> None:
        with pytest.raises(ListenError) as caught:
            _listen(self, ["127.0.0.1", "203.0.113.200"])
        assert str(caught.value) == (
            "lobby.listen: 203.0.113.200 is no address of this machine (change lobby.listen)"
        )

    def test_a_port_for_root_is_an_error(self) -> None:
        with (
            mock.patch.object(socket.socket, "bind", side_effect=PermissionError(13, "Permission denied")),
            pytest.raises(ListenError) as caught,
        ):
            _listen(self, ["127.0.0.1"], 80)
        assert "no permission to listen on 127.0.0.1:80" in str(caught.value)


BOUND = [
    Bound("lobby", "tcp", "0.0.0.0", 7395),
    Bound("lobby", "tcp", "::", 7395),
    Bound("relay", "tcp", "::1", 1),
]


def test_the_report(tmp_path: Path) -> None:
    output = io.StringIO()
    ready = tmp_path / "ready.json"
    ready.write_text("old")
    report(BOUND, str(ready), output)
    assert output.getvalue() == (
        "listening lobby tcp 0.0.0.0:7395\nlistening lobby tcp [::]:7395\nlistening relay tcp [::1]:1\n"
    )
    assert json.loads(ready.read_text()) == {
        "pid": os.getpid(),
        "version": __version__,
        "listening": [
            {"name": one.name, "proto": "tcp", "host": one.host, "port": one.port} for one in BOUND
        ],
    }
    assert [file.name for file in tmp_path.iterdir()] == ["ready.json"]


def test_a_closed_output_does_not_stop_the_server(tmp_path: Path) -> None:
    output = mock.Mock(write=mock.Mock(side_effect=BrokenPipeError(32, "Broken pipe")))
    report(BOUND, str(tmp_path / "ready.json"), output)
    assert (tmp_path / "ready.json").exists()


def test_the_limit_of_open_files_is_raised_to_what_is_needed() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    config = load(
        "/dev/null",
        [
            "limits.lobby_connections=100",
            "limits.relay_connections=60",
            "limits.stun_connections=40",
            "web.connections=30",
        ],
    )
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        raise_open_files_limit(config)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (480, hard)
        raise_open_files_limit(
            load(
                "/dev/null",
                [
                    "server.roles=relay",
                    "web.enabled=false",
                    "limits.relay_connections=10",
                    "limits.stun_connections=10",
                ],
            )
        )
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (480, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_hard_limit_that_is_too_small_is_warned_about() -> None:
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]
    try:
        with (
            mock.patch.object(resource, "getrlimit", return_value=(1024, 4096)),
            mock.patch.object(resource, "setrlimit") as setrlimit,
        ):
            raise_open_files_limit(load("/dev/null"))
    finally:
        globalLogPublisher.removeObserver(observe)  # type: ignore[arg-type]
    setrlimit.assert_called_once_with(resource.RLIMIT_NOFILE, (4096, 4096))
    assert len(lines) == 1
    assert "4096 open files, the connection limits need 13450: raise it (ulimit -n" in lines[0]

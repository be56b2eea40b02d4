"""A real server process with a certificate: the lobby, relayed pairs and STUN over TLS."""

from __future__ import annotations

import hashlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.certificates import NAME, Authority, put
from tests.support.server_process import ServerProcess
from tests.support.stun import request
from tests.support.wire_client import LobbyClient, pack, wait_for
from wlnet.protocols.exchange.messages import Join, Publish, decode_told, encode
from wlnet.protocols.pairs import wire
from wlnet.protocols.stun.wire import decode
from wlnet.relay.pair_words import Ending
from wlnet.rendezvous.events import Begin, RelayGrant
from wlnet.tickets.ticket import from_text

Start = Callable[..., ServerProcess]
QUICK = {"tls.lobby_port": 0, "tls.pairs_port": 0, "tls.handshake_timeout": 0.5, "tls.check_interval": 0.1}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def start(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts servers with a certificate; their logs are looked at in the end."""
    running: list[ServerProcess] = []

    def begin(**settings: str | int | float | bool | list[str]) -> ServerProcess:
        certificate, key = authority.issue(stem=f"server{len(running)}")
        files = {"tls.certificate": str(certificate), "tls.key": str(key)}
        more = {name.replace("__", "."): value for name, value in settings.items()}
        server = ServerProcess(tmp_path_factory.mktemp("server"), {**files, **QUICK, **more})
        running.append(server)
        return server

    try:
        yield begin
        for server in running:
            if server.runs:
                assert server.stop() == 0
            server.check_log()
    finally:
        for server in running:
            server.kill()


@pytest.fixture(scope="module")
def server(start: Start) -> ServerProcess:
    return start()


class TlsPlayer(LobbyClient):
    """A player who checks the certificate."""

    def __init__(
        self, server: ServerProcess, context: ssl.SSLContext, name: str = NAME, door: str = "lobby-tls"
    ) -> None:
        super().__init__("127.0.0.1", server.port(door))
        try:
            self.socket = context.wrap_socket(self.socket, server_hostname=name)
        except BaseException:
            self.close()
            raise


def plain(server: ServerProcess, name: str, family: str = "v4") -> socket.socket:
    connection = socket.create_connection(("::1" if family == "v6" else "127.0.0.1", server.port(name)), 5)
    connection.settimeout(5)
    return connection


def encrypted(server: ServerProcess, authority: Authority, family: str = "v4") -> ssl.SSLSocket:
    """A connection to the pairs' port."""
    return authority.client().wrap_socket(plain(server, "pairs-tls", family), server_hostname=NAME)


def read(connection: socket.socket) -> bytes:
    """One framed message."""
    data = b""
    while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
        more = connection.recv(
            2 + int.from_bytes(data[:2], "big") - len(data) if len(data) > 1 else 2 - len(data)
        )
        assert more, "closed"
        data += more
    return data[2:]


def ended(connection: socket.socket, within: float = 5.0) -> float:
    """Seconds until the server has closed."""
    began = time.monotonic()
    connection.settimeout(within)
    try:
        while connection.recv(4096):
            pass
    except ConnectionError:
        pass
    return time.monotonic() - began


def show(connection: ssl.SSLSocket) -> str:
    """The fingerprint of the certificate."""
    der = connection.getpeercert(binary_form=True)
    assert der is not None
    return hashlib.sha256(der).hexdigest()


def test_players_meet_over_both_doors(server: ServerProcess, authority: Authority) -> None:
    with TlsPlayer(server, authority.client()) as safe, server.lobby() as open_:
        safe.log_in("safe")
        assert isinstance(safe.socket, ssl.SSLSocket)
        assert safe.socket.version() == "TLSv1.3"
        open_.log_in("open")
        safe.send("CHAT", "hello", "")
        assert ("CHAT", "safe", "hello", "public") in open_.until("CHAT")
        # a long list and the last words come through whole
        for number in range(50):
            safe.send("CHAT", f"{number} " + "x" * 900, "safe")
        safe.send("DISCONNECT", "bye")
        assert safe.last_words() is not None


def test_last_words_arrive_before_the_end(server: ServerProcess, authority: Authority) -> None:
    with TlsPlayer(server, authority.client()) as player:
        player.send("NONSENSE")
        assert player.last_words()[-1][0] in ("ERROR", "DISCONNECT")


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_modern_versions(server: ServerProcess, authority: Authority, version: str) -> None:
    context = authority.client()
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    with TlsPlayer(server, context) as player:
        player.log_in("modern")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_are_refused(server: ServerProcess, authority: Authority) -> None:
    context = authority.client()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        TlsPlayer(server, context)


def test_a_stranger_in_the_middle_is_found_out(
    server: ServerProcess, authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "Somebody else")
    with pytest.raises(ssl.SSLCertVerificationError):
        TlsPlayer(server, other.client())
    with pytest.raises(ssl.SSLCertVerificationError):
        TlsPlayer(server, authority.client(), "elsewhere.example.org")
    with TlsPlayer(server, authority.client()) as player:
        player.log_in("unharmed")


@pytest.mark.parametrize("door", ["lobby-tls", "pairs-tls"])
def test_no_encryption_no_service(server: ServerProcess, door: str) -> None:
    for words in (b"\x00\x18LOGIN\x006\x00ann\x00b\x00false\x00x\x00", b"WLP", b"GET / HTTP/1.1\r\n\r\n"):
        with plain(server, door) as connection:
            connection.sendall(words)
            assert ended(connection) < 3
    wait_for(lambda: "no TLS with 127.0.0.1: malformed" in server.log, 3.0, "a line about it")


@pytest.mark.parametrize("door", ["lobby-tls", "pairs-tls"])
@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00\x01\x00"])
def test_a_slow_handshake_is_cut_short(server: ServerProcess, door: str, begun: bytes) -> None:
    with plain(server, door) as connection:
        connection.sendall(begun)
        assert 0.3 < ended(connection) < 3
    wait_for(lambda: "no TLS with 127.0.0.1: handshake_time" in server.log, 3.0, "a line about it")


def test_handshakes_count_as_connections(start: Start, authority: Authority) -> None:
    server = start(
        limits__lobby_connections=2,
        limits__stun_connections=1,
        tls__handshake_timeout=20,
        logging__figures_interval="1s",
    )
    with plain(server, "lobby-tls"), server.lobby() as other:
        other.log_in("other")
        assert ended(plain(server, "lobby-tls")) < 3
        assert ended(plain(server, "lobby")) < 3
    with plain(server, "pairs-tls"):
        assert ended(plain(server, "pairs-tls")) < 3
        assert ended(plain(server, "stun")) < 3
    wait_for(lambda: _enters(server, authority), 5.0, "room for one again")
    wait_for(lambda: "limited metaserver connections 2" in server.log, 5.0, "the count")
    wait_for(lambda: "limited stun connections 2" in server.log, 5.0, "the count")


def _enters(server: ServerProcess, authority: Authority) -> bool:
    try:
        with TlsPlayer(server, authority.client()) as player:
            player.log_in("enters")
    except (OSError, TimeoutError):
        return False
    return True


def test_a_new_certificate_without_restart(start: Start, authority: Authority) -> None:
    server = start()
    certificate, key = (Path(str(server.settings[f"tls.{name}"])) for name in ("certificate", "key"))
    with TlsPlayer(server, authority.client()) as old:
        old.log_in("old")
        assert isinstance(old.socket, ssl.SSLSocket)
        first = show(old.socket)

        put(key, b"broken")
        wait_for(lambda: str(key) in server.log, 5.0, "an error with the path")
        with encrypted(server, authority) as connection:
            assert show(connection) == first

        authority.issue(stem=certificate.stem)

        def renewed() -> bool:
            with encrypted(server, authority) as connection:
                return show(connection) != first

        wait_for(renewed, 5.0, "the new certificate")
        old.send("CHAT", "still here", "")
        assert old.until("CHAT")[-1] == ("CHAT", "old", "still here", "public")


def test_the_lobby_is_at_the_port_of_the_pairs_too(server: ServerProcess, authority: Authority) -> None:
    """Networks that let out nothing but 443 need all of it there."""
    with TlsPlayer(server, authority.client(), door="pairs-tls") as player, server.lobby() as other:
        player.log_in("narrow")
        other.log_in("wide")
        player.send("CHAT", "out at last", "")
        assert ("CHAT", "narrow", "out at last", "public") in other.until("CHAT")
    with TlsPlayer(server, authority.client(), door="pairs-tls") as slow:
        for octet in pack("LOGIN", "6", "slow", "1.1", "false", "secret"):
            slow.send_raw(bytes([octet]))
        assert slow.next()[:2] == ("LOGIN", "slow")
    with TlsPlayer(server, authority.client(), door="pairs-tls") as stranger:
        stranger.send_raw(b"GET / HTTP/1.1\r\n\r\n")
        assert stranger.last_words() == [("ERROR", "GARBAGE_RECEIVED", "PACKET_TOO_LONG")]


def test_stun_over_tls(server: ServerProcess, authority: Authority) -> None:
    for family in ("v4", "v6"):
        with encrypted(server, authority, family) as connection:
            here = connection.getsockname()[:2]
            for _ in range(3):
                message = request()
                connection.sendall(message)
                answer = decode(connection.recv(2048))
                assert answer.transaction == message[8:20]
                assert answer.mapped() == here


def meet(server: ServerProcess) -> tuple[RelayGrant, RelayGrant]:
    """The permissions of the two sides of a new pair."""
    grants: list[RelayGrant] = []
    with server.lobby() as host, server.lobby() as guest:
        for client, name in ((host, "host"), (guest, "guest")):
            client.log_in(name)
            client.send("WLNET", "1")
            client.next()
        host.send("WLNET", encode(Publish(game="duel", traffic="tcp", fingerprint="a" * 64)))
        host.next()
        guest.send("WLNET", encode(Join(game="duel", fingerprint="b" * 64)))
        for client in (host, guest):
            begin = decode_told(client.next()[1])
            assert isinstance(begin, Begin)
            assert begin.relay is not None
            grants.append(begin.relay)
    return grants[0], grants[1]


def bind(connection: socket.socket, grant: RelayGrant) -> bytes:
    """The handle."""
    message = wire.encode_bind(wire.Bind(1, b"transact", wire.NO_COOKIE, from_text(grant.ticket)))
    connection.sendall(wire.PREAMBLE + wire.frame(message))
    bound = wire.decode_bound(read(connection))
    assert (bound.address, bound.port) == connection.getsockname()[:2]
    return bound.handle


def test_a_pair_over_tls_and_tcp(server: ServerProcess, authority: Authority) -> None:
    host_grant, guest_grant = meet(server)
    assert host_grant.tls_port == server.port("pairs-tls")
    with encrypted(server, authority) as host, plain(server, "stun2", "v6") as guest:
        handles = bind(host, host_grant), bind(guest, guest_grant)
        payload = bytes(range(256)) * 5
        for number in range(100):
            host.sendall(wire.frame(wire.data_head(handles[0]) + bytes([number]) + payload))
            assert read(guest) == wire.data_head(handles[1]) + bytes([number]) + payload
            guest.sendall(wire.frame(wire.data_head(handles[1]) + payload + bytes([number])))
            assert read(host) == wire.data_head(handles[0]) + payload + bytes([number])
        guest.sendall(wire.frame(wire.encode_close(handles[1], Ending.CLOSED)))
        assert wire.decode_worded(wire.CLOSE, read(host)) == (handles[0], "PEER_CLOSED")
        assert ended(host) < 3


def test_a_pair_that_does_not_read_over_tls(server: ServerProcess, authority: Authority) -> None:
    host_grant, guest_grant = meet(server)
    with encrypted(server, authority) as slow, plain(server, "stun2") as fast:
        bind(slow, host_grant)
        handle = bind(fast, guest_grant)
        before = server.memory
        frame = wire.frame(wire.data_head(handle) + bytes(1400))
        for _ in range(20_000):
            fast.sendall(frame)
        assert server.memory - before < 30_000_000


def test_a_taken_port_is_no_reason_not_to_start(start: Start) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        server = start(tls__pairs_port=port, stun__listen=["0.0.0.0"])
        assert f"tls.pairs_port: 0.0.0.0:{port} is in use" in server.log
        assert server.port("lobby-tls")
        assert meet(server)[0].tls_port == 0


def test_without_a_certificate_there_is_no_tls(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    try:
        assert not [one for one in server.ready["listening"] if "tls" in one["name"]]
        assert meet(server)[0].tls_port == 0
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"tls.certificate": "no.pem", "tls.key": "no.key"}, "no.pem: No such file"),
        ({"tls.certificate": "no.pem"}, "needs tls.key"),
    ],
)
def test_a_certificate_that_cannot_be_used_at_start(
    tmp_path: Path, settings: dict[str, str], why: str
) -> None:
    with pytest.raises(AssertionError, match=why):
        ServerProcess(tmp_path, settings)

"""What an operator's monitoring and a community's web site see of the real server."""

from __future__ import annotations

import selectors
import socket
import time
from contextlib import ExitStack
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from tests.integration.server.conftest import People, Start
from tests.support.http_client import Reply, ask, read_reply
from tests.support.server_process import ServerProcess
from tests.support.wire_client import wait_for

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def get(server: ServerProcess, path: str, *headers: str, method: str = "GET") -> Reply:
    return ask(server.port("web"), path, *headers, method=method)


def figures(server: ServerProcess) -> dict[str, float]:
    """All samples, by name with labels."""
    families = parse_plain(get(server, "/metrics").body.decode())
    return {
        ",".join([one.name, *one.labels.values()]): one.value for family in families for one in family.samples
    }


def status_when(server: ServerProcess, name: str) -> dict[str, object]:
    """The status once it knows of the player *name*."""

    def there() -> bool:
        return any(one["name"] == name for one in get(server, "/status.json").json["players"])

    wait_for(there, timeout=6)
    return dict(get(server, "/status.json").json)


def test_figures_and_status_follow_what_players_do(start: Start, people: People) -> None:
    server = start({"web.status_cache": 0.1, "lobby.announce_delay": 0.1})
    before = figures(server)
    empty = get(server, "/status.json")
    assert empty.json["counts"] == {"players": 0, "players_in_games": 0, "games": 0, "open_games": 0}
    assert (before["wlnet_players"], before["wlnet_games"]) == (0, 0)
    assert get(server, "/readyz").json == {"ready": True, "not_ready": []}
    assert before["wlnet_ready,listeners"] == before["wlnet_ready,database"] == 1
    assert "wlnet_ready,link" not in before

    game, owner, host, _ = people.game(server, guests=1)
    reader = people.player(server, "reader")
    status = status_when(server, reader.name)
    assert status["counts"] == {"players": 2, "players_in_games": 1, "games": 1, "open_games": 1}
    assert status["games"] == [
        {
            "name": game,
            "host": owner.name,
            "build": "1.2.1",
            "state": "setup",
            "carrier": "relay",
            "players": [owner.name],
        }
    ]
    assert b"127.0.0.1" not in get(server, "/status.json").body
    assert get(server, "/status.json", f"If-None-Match: {empty.headers['etag']}").code == 200
    again = get(server, "/status.json", f"If-None-Match: {get(server, '/status.json').headers['etag']}")
    assert (again.code, again.body) == (304, b"")
    wait_for(lambda: figures(server)["wlnet_players"] == 2, timeout=5)
    after = figures(server)
    assert (after["wlnet_games"], after["wlnet_relay_rooms"]) == (1, 1)
    assert after["wlnet_relay_connections_now"] == 2
    assert after["process_resident_memory_bytes"] > 10_000_000

    owner.send("GAME_START")
    wait_for(lambda: get(server, "/status.json").json["games"][0]["state"] == "running", timeout=5)
    assert get(server, "/status.json").json["counts"]["open_games"] == 0
    host.close()
    wait_for(lambda: get(server, "/status.json").json["games"] == [], timeout=5)


def test_each_kind_of_exposition_can_be_read(server: ServerProcess) -> None:
    plain = get(server, "/metrics")
    assert plain.headers["cache-control"] == "no-store"
    names = {family.name for family in parse_plain(plain.body.decode())}
    reply = get(server, "/metrics", "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.1")
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    assert {"wlnet_players", "wlnet_limited"} <= {
        family.name for family in parse_openmetrics(reply.body.decode())
    }
    assert "wlnet_players" in names


def test_requests_of_browsers_and_of_strangers(server: ServerProcess) -> None:
    for path in ("/", "/favicon.ico", "/<script>alert(1)</script>", "/metrics/../etc", "/%2e%2e", "*"):
        reply = get(server, path)
        assert (reply.code, reply.body) == (404, b"not found\n"), path
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"
        assert "server" not in reply.headers
    assert get(server, "/metrics", method="POST").code == 405
    assert get(server, "/metrics", method="OPTIONS").headers["allow"] == "GET, HEAD"
    assert get(server, "/healthz?now").code == 200


def test_head(server: ServerProcess) -> None:
    for path in ("/metrics", "/healthz", "/readyz", "/status.json"):
        reply = get(server, path, method="HEAD")
        assert (reply.code, reply.body) == (200, b""), path
        assert int(reply.headers["content-length"]) > 20


def test_only_the_first_of_many_requests_is_answered(server: ServerProcess) -> None:
    with socket.create_connection(("127.0.0.1", server.port("web")), 5) as connection:
        connection.sendall(GET * 20)
        reply = read_reply(connection)
    assert reply.raw.count(b"HTTP/1.1 ") == 1
    assert reply.headers["connection"] == "close"


def test_slow_senders_go_and_others_do_not_notice(start: Start) -> None:
    server = start({"web.timeout": 1, "web.connections": 100})
    port = server.port("web")
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 5)) for _ in range(50)]
        began, ended = time.monotonic(), 0.0
        for connection in slow:
            connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        trickle = iter(b"X-Header: " + b"a" * 1000)
        left = set(slow)
        while left and time.monotonic() - began < 5:
            byte = bytes([next(trickle)])
            for connection in tuple(left):
                try:
                    connection.sendall(byte)
                except OSError:
                    left.discard(connection)
            began_asking = time.monotonic()
            assert ask(port, "/healthz").code == 200
            assert time.monotonic() - began_asking < 1
            time.sleep(0.05)
        ended = time.monotonic()
        assert not left
        assert ended - began < 4
        wait_for(lambda: figures(server)["wlnet_limited_total,web,handshake_time"] == 50, timeout=5)
        wait_for(lambda: figures(server)["wlnet_web_connections_now"] == 1, timeout=5)


def test_five_hundred_at_once(start: Start) -> None:
    server = start({"web.connections": 600})
    port = server.port("web")
    with ExitStack() as stack:
        crowd = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 5)) for _ in range(500)]
        for connection in crowd:
            connection.sendall(GET)
        assert [read_reply(connection).code for connection in crowd] == [200] * 500
    wait_for(lambda: figures(server).get("wlnet_web_answers_total,200,healthz") == 500, timeout=5)
    wait_for(lambda: figures(server)["wlnet_web_connections_now"] == 1, timeout=5)
    assert server.open_files < 100


def test_the_public_port_has_the_status_only_and_cannot_crowd_out_the_other(start: Start) -> None:
    server = start(
        {
            "web.status_listen": ["127.0.0.1"],
            "web.status_port": 0,
            "web.status_origin": "https://example.org",
            "web.connections": 20,
        }
    )
    port = server.port("web-status")
    reply = ask(port, "/status.json")
    assert reply.json["format"] == 1
    assert reply.headers["access-control-allow-origin"] == "https://example.org"
    for path in ("/metrics", "/healthz", "/readyz", "/"):
        assert ask(port, path).code == 404
    with ExitStack() as stack:
        crowd = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 5)) for _ in range(60)]
        closed = 0
        with selectors.DefaultSelector() as waiting:
            for connection in crowd:
                waiting.register(connection, selectors.EVENT_READ)
            deadline = time.monotonic() + 5
            while closed < 40 and time.monotonic() < deadline:
                for key, _ in waiting.select(0.1):
                    waiting.unregister(key.fileobj)
                    closed += 1
        assert closed == 40
        assert get(server, "/healthz").code == 200
        wait_for(lambda: figures(server)["wlnet_limited_total,web,connections"] == 40, timeout=5)
    wait_for(lambda: _answers(port), timeout=5)


def _answers(port: int) -> bool:
    try:
        return ask(port, "/status.json").code == 200
    except (OSError, IndexError, ValueError):
        return False


def test_a_port_in_use_is_only_a_warning(start: Start, people: People) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        server = start({"web.port": other.getsockname()[1]})
        people.player(server, "unharmed")
        assert "no HTTP: web.port: 127.0.0.1" in server.log
        assert "in use by another program" in server.log


def test_a_database_that_is_away_makes_the_server_unready(start: Start) -> None:
    server = start({"moderation.refresh_interval": 0.1, "database.retry_pause": 0.2, "database.timeout": 2})
    assert get(server, "/readyz").code == 200
    database = server.state_dir / "wlnet.sqlite3"
    kept = {path: path.read_bytes() for path in server.state_dir.glob("wlnet.sqlite3*")}
    for path in kept:
        path.unlink()
    database.mkdir()
    wait_for(lambda: get(server, "/readyz").code == 503, timeout=8)
    assert get(server, "/readyz").json["not_ready"][0]["part"] == "database"
    assert get(server, "/healthz").code == 200
    wait_for(lambda: figures(server)["wlnet_ready,database"] == 0, timeout=5)
    database.rmdir()
    for path, data in kept.items():
        path.write_bytes(data)
    wait_for(lambda: get(server, "/readyz").code == 200, timeout=8)


def test_lobby_and_relay_apart_each_tell_of_their_link(start: Start, tmp_path: Path) -> None:
    quick = {
        "link.secret_file": str(tmp_path / "the.secret"),
        "link.reconnect_min": 0.1,
        "link.reconnect_max": 0.3,
        "link.keepalive": 0.3,
        "link.dead_after": 1.0,
    }
    lobby = start({"server.roles": ["lobby"], "link.port": 0, **quick})
    reply = get(lobby, "/readyz")
    assert reply.code == 503
    assert reply.json["not_ready"] == [{"part": "link", "why": "no relay is linked to this lobby"}]
    relay = start(
        {"server.roles": ["relay"], "link.lobby": f"127.0.0.1:{lobby.port('link')}", **quick},
        tmp_path / "relay",
    )
    for one in (lobby, relay):
        wait_for(lambda one=one: get(one, "/readyz").code == 200, timeout=8)  # type: ignore[misc]
    assert get(relay, "/status.json").code == 404
    assert "wlnet_players" not in figures(relay)
    assert "wlnet_relay_rooms" not in figures(lobby)
    lobby.keep_ports()
    lobby.kill()
    assert _unready(relay) == [{"part": "link", "why": "this relay is not linked to its lobby"}]
    lobby.start()
    for one in (lobby, relay):
        wait_for(lambda one=one: get(one, "/readyz").code == 200, timeout=8)  # type: ignore[misc]
    relay.kill()
    assert _unready(lobby) == [{"part": "link", "why": "no relay is linked to this lobby"}]
    assert get(lobby, "/healthz").code == 200
    wait_for(lambda: figures(lobby)["wlnet_ready,link"] == 0, timeout=5)


def _unready(server: ServerProcess) -> object:
    wait_for(lambda: get(server, "/readyz").code == 503, timeout=8)
    return get(server, "/readyz").json["not_ready"]

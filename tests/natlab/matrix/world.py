"""Laboratory, server and town of a matrix, from beginning to end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.natlab.lab import Lab
from tests.natlab.matrix.cells import Stage
from tests.natlab.matrix.town import Town
from tests.natlab.site import Server
from tests.support.certificates import Authority
from tests.support.server_process import ServerProcess, Settings

# As an operator leaves them; the log is complete, for whoever looks for the reason of a failure.
PORTS: Settings = {"lobby.port": 7395, "relay.port": 7397, "stun.port": 3478, "stun.second_port": 3479}
LOG: Settings = {"limits.log_rate": 0.0, "logging.level": "debug"}


@contextmanager
def opened(folder: Path) -> Iterator[Stage]:
    """A stage to play on; what is kept goes to `folder`. In the end the server's log is looked at."""
    with Lab() as lab:
        authority = Authority(folder)
        server = start_server(lab.server, folder / "server", authority)
        town = Town(lab)
        try:
            yield Stage(town, server, folder, authority.file)
            assert server.stop() == 0
            server.check_log()
        finally:
            town.close()
            server.kill()


def start_server(place: Server, folder: Path, authority: Authority) -> ServerProcess:
    """`twistd wlnet` with two addresses of each family, STUN, relay of pairs and TLS on port 443."""
    addresses = (place.ipv4, place.second_ipv4, place.ipv6, place.second_ipv6)
    certificate = str(authority.certificate(*addresses))
    more: Settings = {
        "stun.second_addresses": [place.second_ipv4, place.second_ipv6],
        "tls.certificate": certificate,
        "tls.key": certificate,
        "tls.pairs_port": 443,
    }
    return ServerProcess(folder, {**PORTS, **LOG, **more}, place.namespace.prefix())

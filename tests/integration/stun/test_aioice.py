"""An ICE agent of strangers (aioice) gathers its candidates from the real server."""

from __future__ import annotations

import asyncio

import aioice
import pytest

from tests.support.server_process import ServerProcess
from wlnet.link.shell_own_address import own_address


def test_aioice_gathers_a_server_reflexive_candidate(everywhere: ServerProcess) -> None:
    host = own_address(4)
    if host is None:
        pytest.skip("this machine has no IPv4 address but loopback, which aioice does not use")

    async def gather() -> list[aioice.Candidate]:
        connection = aioice.Connection(
            ice_controlling=True, stun_server=(host, everywhere.port("stun")), use_ipv6=False
        )
        try:
            await asyncio.wait_for(connection.gather_candidates(), 20)
            return connection.local_candidates
        finally:
            await connection.close()

    candidates = asyncio.run(gather())
    reflexive = [one for one in candidates if one.type == "srflx"]
    assert reflexive, candidates
    assert reflexive[0].port in {one.port for one in candidates if one.type == "host"}
    assert host in {one.host for one in reflexive}

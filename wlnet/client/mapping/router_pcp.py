"""PCP as the mapper uses it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wlnet.client.mapping import pcp
from wlnet.client.mapping.asking import FIND_WAITS, MAP_WAITS, REMOVE_WAITS
from wlnet.client.mapping.epoch import EpochWatch
from wlnet.client.mapping.pcp import PcpAnswer, PcpError, PcpResult
from wlnet.client.mapping.protocol import Gateway
from wlnet.client.mapping.running import Running
from wlnet.client.mapping.words import Failure, Found, Granted, MappingProtocol, Standing, Wish
from wlnet.client.net.network import Network
from wlnet.protocols.stun.wire import Endpoint

_SENTENCES = {
    PcpResult.NOT_AUTHORIZED: "The router refuses to open ports by PCP (not authorized).",
    PcpResult.NETWORK_FAILURE: "The router says by PCP that it has no outer address now.",
    PcpResult.NO_RESOURCES: (
        "The router says by PCP that it has no ports to give: it is out of them, or has no public address."
    ),
    PcpResult.USER_EX_QUOTA: "The router says by PCP that this computer has too many ports already.",
    PcpResult.CANNOT_PROVIDE_EXTERNAL: "The router cannot give that port by PCP: somebody else has it.",
    PcpResult.ADDRESS_MISMATCH: "The router says by PCP that another NAT is between it and this computer.",
}
_STANDINGS = {PcpResult.NETWORK_FAILURE: Standing.DISCONNECTED}


class PcpRouter:
    """RFC 6887.

    :param rebooted: called when the router has lost all mappings.
    """

    protocol = MappingProtocol.PCP

    def __init__(self, network: Network, gateway: Gateway, rebooted: Callable[[], None]) -> None:
        self._network = network
        self._gateway = gateway
        self._client = gateway.source.partition("%")[0]
        self._rebooted = rebooted
        self._epoch = EpochWatch()
        self._running = Running(network, gateway.source, Endpoint(gateway.address, pcp.PORT))

    def find(self, done: Callable[[Found | Failure], None]) -> None:
        """ANNOUNCE: every server answers it, if only that it does not know it."""
        self._running.ask(
            pcp.encode_announce(self._client), FIND_WAITS, _announced, partial(self._found, done)
        )

    def map(self, wish: Wish, done: Callable[[Granted | Failure], None]) -> None:
        """MAP."""
        self._running.ask(
            self._request(wish, wish.lifetime, wish.external),
            MAP_WAITS,
            partial(_mapped, wish),
            partial(self._mapped, done),
        )

    def unmap(self, wish: Wish, granted: Granted, done: Callable[[], None]) -> None:
        """MAP with a lifetime of 0 (section 15)."""
        self._running.ask(
            self._request(wish, 0, granted.external.port),
            REMOVE_WAITS,
            partial(_mapped, wish),
            lambda _: done(),
        )

    def close(self) -> None:
        """Stop everything under way."""
        self._running.close()

    def _request(self, wish: Wish, lifetime: int, external: int) -> bytes:
        any_address = "::" if ":" in self._client else "0.0.0.0"  # noqa: S104 - no socket: "any address"
        return pcp.encode_map(
            self._client,
            wish.nonce,
            wish.transport,
            wish.port,
            Endpoint(wish.address or any_address, external),
            lifetime,
            exact=wish.exact and lifetime > 0,
        )

    def _note(self, epoch: int) -> None:
        if self._epoch.lost(epoch, self._network.now()):
            self._rebooted()

    def _found(self, done: Callable[[Found | Failure], None], answer: PcpAnswer | None) -> None:
        if answer is None:
            done(Failure(standing=Standing.SILENT, text="The router does not answer PCP."))
        elif answer.version != pcp.VERSION or answer.result == PcpResult.UNSUPP_VERSION:
            done(Failure(standing=Standing.SILENT, text="The router does not know PCP."))
        elif answer.result in (PcpResult.NOT_AUTHORIZED, PcpResult.ADDRESS_MISMATCH):
            done(_refusal(answer.result))
        else:
            self._note(answer.epoch)
            done(Found())

    def _mapped(self, done: Callable[[Granted | Failure], None], answer: PcpAnswer | None) -> None:
        if answer is None:
            done(Failure(standing=Standing.SILENT, text="The router does not answer PCP any more."))
            return
        if answer.version == pcp.VERSION:
            self._note(answer.epoch)
        if answer.result != PcpResult.SUCCESS or answer.mapping is None:
            done(_refusal(answer.result))
        else:
            done(Granted(external=answer.mapping.external, lifetime=answer.lifetime))


def _announced(data: bytes) -> PcpAnswer | None:
    try:
        return pcp.decode_answer(data)
    except PcpError:
        return None


def _mapped(wish: Wish, data: bytes) -> PcpAnswer | None:
    answer = _announced(data)
    if answer is None or answer.version != pcp.VERSION:
        return answer
    mapping = answer.mapping
    if mapping is None or (mapping.nonce, mapping.transport, mapping.port) != (
        wish.nonce,
        wish.transport,
        wish.port,
    ):
        return None
    return answer


def _refusal(result: int) -> Failure:
    known = PcpResult(result) if result in PcpResult.__members__.values() else None
    text = _SENTENCES.get(known) if known is not None else None
    standing = _STANDINGS.get(known, Standing.REFUSED) if known is not None else Standing.REFUSED
    return Failure(
        standing=standing, text=text or f"The router refuses to open the port by PCP (result {result})."
    )

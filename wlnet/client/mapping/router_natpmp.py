"""NAT-PMP as the mapper uses it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from wlnet.client.mapping import natpmp
from wlnet.client.mapping.asking import FIND_WAITS, MAP_WAITS, REMOVE_WAITS
from wlnet.client.mapping.epoch import EpochWatch
from wlnet.client.mapping.natpmp import AddressAnswer, MapAnswer, NatPmpError, NatPmpResult
from wlnet.client.mapping.protocol import Gateway
from wlnet.client.mapping.running import Running
from wlnet.client.mapping.words import Failure, Found, Granted, MappingProtocol, Standing, Wish
from wlnet.client.net.network import Network
from wlnet.protocols.stun.wire import Endpoint

_SENTENCES = {
    NatPmpResult.NOT_AUTHORIZED: "The router refuses to open ports by NAT-PMP: it is switched off there.",
    NatPmpResult.NETWORK_FAILURE: (
        "The router says by NAT-PMP that it has no outer address of use: it is not connected, or behind "
        "another NAT."
    ),
    NatPmpResult.OUT_OF_RESOURCES: "The router says by NAT-PMP that it has no ports left.",
}
_STANDINGS = {
    NatPmpResult.NETWORK_FAILURE: Standing.DISCONNECTED,
    NatPmpResult.UNSUPPORTED_VERSION: Standing.SILENT,
}


class NatPmpRouter:
    """RFC 6886.

    :param rebooted: called when the router has lost all mappings.
    """

    protocol = MappingProtocol.NAT_PMP

    def __init__(self, network: Network, gateway: Gateway, rebooted: Callable[[], None]) -> None:
        self._network = network
        self._rebooted = rebooted
        self._epoch = EpochWatch()
        self._running = Running(network, gateway.source, Endpoint(gateway.address, natpmp.PORT))

    def find(self, done: Callable[[Found | Failure], None]) -> None:
        """Ask for the outer address."""
        self._running.ask(natpmp.encode_address(), FIND_WAITS, _address, partial(self._found, done))

    def map(self, wish: Wish, done: Callable[[Granted | Failure], None]) -> None:
        """Ask for the outer address again, then for the port: a new address is noticed so."""
        self._running.ask(natpmp.encode_address(), MAP_WAITS, _address, partial(self._addressed, wish, done))

    def unmap(self, wish: Wish, granted: Granted, done: Callable[[], None]) -> None:  # noqa: ARG002
        """Lifetime and outer port 0 (RFC 6886 section 3.4)."""
        self._running.ask(
            natpmp.encode_map(wish.transport, wish.port, 0, 0),
            REMOVE_WAITS,
            partial(_mapped, wish),
            lambda _: done(),
        )

    def close(self) -> None:
        """Stop everything under way."""
        self._running.close()

    def _note(self, epoch: int) -> None:
        if self._epoch.lost(epoch, self._network.now()):
            self._rebooted()

    def _found(self, done: Callable[[Found | Failure], None], answer: AddressAnswer | None) -> None:
        if answer is None:
            done(Failure(standing=Standing.SILENT, text="The router does not answer NAT-PMP."))
        elif answer.result:
            done(_refusal(answer.result))
        else:
            self._note(answer.epoch)
            done(Found(address=answer.address))

    def _addressed(
        self, wish: Wish, done: Callable[[Granted | Failure], None], answer: AddressAnswer | None
    ) -> None:
        if answer is None:
            done(Failure(standing=Standing.SILENT, text="The router does not answer NAT-PMP any more."))
            return
        if answer.result:
            done(_refusal(answer.result))
            return
        self._note(answer.epoch)
        self._running.ask(
            natpmp.encode_map(wish.transport, wish.port, wish.external, wish.lifetime),
            MAP_WAITS,
            partial(_mapped, wish),
            partial(self._mapped, answer.address, done),
        )

    def _mapped(
        self, address: str, done: Callable[[Granted | Failure], None], answer: MapAnswer | None
    ) -> None:
        if answer is None:
            done(Failure(standing=Standing.SILENT, text="The router does not answer NAT-PMP any more."))
        elif answer.result:
            done(_refusal(answer.result))
        else:
            done(Granted(external=Endpoint(address, answer.external), lifetime=answer.lifetime))


def _address(data: bytes) -> AddressAnswer | None:
    try:
        answer = natpmp.decode_answer(data)
    except NatPmpError:
        return None
    return answer if isinstance(answer, AddressAnswer) else None


def _mapped(wish: Wish, data: bytes) -> MapAnswer | None:
    try:
        answer = natpmp.decode_answer(data)
    except NatPmpError:
        return None
    if not isinstance(answer, MapAnswer) or answer.transport is not wish.transport:
        return None
    return answer if answer.result or answer.port == wish.port else None


def _refusal(result: int) -> Failure:
    known = NatPmpResult(result) if result in NatPmpResult.__members__.values() else None
    text = _SENTENCES.get(known) if known is not None else None
    standing = _STANDINGS.get(known, Standing.REFUSED) if known is not None else Standing.REFUSED
    return Failure(
        standing=standing, text=text or f"The router refuses to open the port by NAT-PMP (result {result})."
    )

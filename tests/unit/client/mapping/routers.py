"""Routers that answer PCP, NAT-PMP and UPnP as a test says, in the network in memory."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from tests.support.simnet import SimHost, SimNet
from tests.support.simnet_nat import SimNat
from wlnet.client.mapping.gateway import Gateways
from wlnet.client.net.network import Stream, StreamEnd
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Family

ROUTER = "192.168.1.1"
PLAYER = "192.168.1.10"
PUBLIC = "198.51.100.7"
GATEWAYS = Gateways(v4=ROUTER)
ROUTER6, PLAYER6 = "fe80::1", "2001:db8:1::10"

Held = dict[tuple[int, int], tuple[int, bytes]]
"""Outer ports: by protocol number and inner port; with the nonce."""


def home(seed: int = 1) -> tuple[SimNet, SimHost, SimHost]:
    """A player and his router, which speaks nothing yet."""
    net = SimNet(seed=seed, latency=0.002)
    nat = SimNat(PUBLIC)
    return net, net.host("player", [PLAYER, PLAYER6], nat=nat), net.host("router", [ROUTER, ROUTER6], nat=nat)


class PcpServer:
    """RFC 6887, and RFC 6886 beside it, as real routers have both on one port.

    :ivar result: of MAP and of NAT-PMP; *announce*: of ANNOUNCE.
    :ivar silent: it answers nothing, the next so many requests.
    """

    def __init__(self, host: SimHost, *, pcp: bool = True, natpmp: bool = True) -> None:
        self.host = host
        self.pcp = pcp
        self.natpmp = natpmp
        self.address = PUBLIC
        self.result = 0
        self.announce = 0
        self.silent = 0
        self.lifetime: int | None = None
        self.taken: set[int] = set()
        self.held: Held = {}
        self.asked: list[str] = []
        self.since = host.now() - 5000
        self.sockets = {
            family: host.open_datagram(family, self._receiver(family), port=5351) for family in Family
        }

    def _receiver(self, family: Family) -> Callable[[bytes, Endpoint], None]:
        return lambda data, source: self.received(family, data, source)

    def reboot(self) -> None:
        self.held.clear()
        self.since = self.host.now()

    @property
    def epoch(self) -> int:
        return int(self.host.now() - self.since)

    def received(self, family: Family, data: bytes, source: Endpoint) -> None:
        if self.silent:
            self.silent -= 1
            return
        answer = self.answer_pcp(data, source) if data[0] == 2 else self.answer_natpmp(data)
        if answer:
            self.sockets[family].send(answer, source)

    def answer_pcp(self, data: bytes, source: Endpoint) -> bytes | None:
        if not self.pcp:
            return struct.pack("!BBHI", 0, 0x80 | data[1], 1, self.epoch) if self.natpmp else None
        opcode = data[1]
        (lifetime,) = struct.unpack_from("!I", data, 4)
        client = ip_address(data[8:24])
        assert isinstance(client, IPv6Address)
        if str(client.ipv4_mapped or client) != source.host:
            return self._pcp(opcode, 12, 0, data[24:])
        if opcode == 0:
            self.asked.append("announce")
            return self._pcp(0, self.announce, 0, b"")
        nonce, protocol, inner, outer = struct.unpack_from("!12sB3xHH", data, 24)
        exact = len(data) > 60 and data[60] == 2
        self.asked.append("remove" if not lifetime else "map")
        if self.result:
            return self._pcp(1, self.result, 30, data[24:60])
        key = protocol, inner
        if key in self.held and self.held[key][1] != nonce:
            return self._pcp(1, 2, 30, data[24:60])
        if not lifetime:
            self.held.pop(key, None)
            return self._pcp(1, 0, 0, data[24:60])
        if outer in self.taken:
            if exact:
                return self._pcp(1, 11, 30, data[24:60])
            outer += 1
        self.held[key] = outer, nonce
        address = source.host if ":" in source.host else f"::ffff:{self.address}"
        body = struct.pack("!12sB3xHH", nonce, protocol, inner, outer) + IPv6Address(address).packed
        return self._pcp(1, 0, self.lifetime if self.lifetime is not None else lifetime, body)

    def _pcp(self, opcode: int, result: int, lifetime: int, body: bytes) -> bytes:
        return struct.pack("!BBBBII12x", 2, 0x80 | opcode, 0, result, lifetime, self.epoch) + body

    def answer_natpmp(self, data: bytes) -> bytes | None:
        if not self.natpmp:
            return None
        head = struct.pack("!BBHI", 0, 0x80 | data[1], self.result, self.epoch)
        if data[1] == 0:
            self.asked.append("address")
            return head if self.result else head + ip_address(self.address).packed
        inner, outer, lifetime = struct.unpack_from("!HHI", data, 4)
        protocol = {1: 17, 2: 6}[data[1]]
        self.asked.append("natpmp remove" if not lifetime else "natpmp map")
        if lifetime:
            outer = outer + 1 if outer in self.taken else outer
            self.held[protocol, inner] = outer, b""
            lifetime = self.lifetime if self.lifetime is not None else lifetime
        else:
            self.held.pop((protocol, inner), None)
        return head + struct.pack("!HHI", inner, outer, lifetime)


DESCRIPTION = """<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><serviceList>
<service><serviceType>urn:schemas-upnp-org:service:{type}</serviceType>
<controlURL>{control}</controlURL><eventSubURL>/evt</eventSubURL><SCPDURL>/x.xml</SCPDURL></service>
</serviceList></device></deviceList></device></deviceList></device></root>"""

CALL = re.compile(r"<u:(\w+) ")


class UpnpServer:
    """An IGD. Its answers to calls can be changed by *errors*: codes for the next calls of that name."""

    def __init__(self, host: SimHost, kind: str = "WANIPConnection:1", http: int = 5000) -> None:
        self.host = host
        self.kind = kind
        self.location = f"http://{ROUTER}:{http}/rootDesc.xml"
        self.control = "/ctl/IPConn"
        self.description: bytes | None = None
        self.address = PUBLIC
        self.errors: dict[str, list[int]] = {}
        self.always: dict[str, int] = {}
        self.held: dict[tuple[str, int], tuple[str, int, int]] = {}
        self.calls: list[str] = []
        self.socket = host.open_datagram(Family.V4, self.searched, port=1900)
        self.listener = host.listen(Family.V4, lambda stream: UpnpStream(self, stream), port=http)

    def searched(self, data: bytes, source: Endpoint) -> None:
        target = re.search(rb"\nST: (\S+)", data)
        assert target is not None
        self.socket.send(
            b"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: " + target[1]
            + f"\r\nLocation: {self.location}\r\nSERVER: x\r\n\r\n".encode(), source,
        )  # fmt: skip

    def answer(self, head: str, body: str) -> bytes:
        if head.startswith("GET "):
            text = self.description
            if text is None:
                text = DESCRIPTION.format(type=self.kind, control=self.control).encode()
            return http_answer(200, text)
        match = CALL.search(body)
        assert match is not None
        name = match[1]
        self.calls.append(name)
        code = self.errors[name].pop(0) if self.errors.get(name) else self.always.get(name, 0)
        if code:
            return http_answer(500, fault(code))
        return http_answer(200, self.reply(name, dict(re.findall(r"<(New\w+)>([^<]*)<", body))))

    def reply(self, name: str, fields: dict[str, str]) -> bytes:
        inner = ""
        if name == "GetExternalIPAddress":
            inner = f"<NewExternalIPAddress>{self.address}</NewExternalIPAddress>"
        elif name in ("AddPortMapping", "AddAnyPortMapping"):
            port = int(fields["NewExternalPort"])
            if name == "AddAnyPortMapping":
                port += 1
                inner = f"<NewReservedPort>{port}</NewReservedPort>"
            self.held[fields["NewProtocol"], port] = (
                fields["NewInternalClient"], int(fields["NewInternalPort"]), int(fields["NewLeaseDuration"]),
            )  # fmt: skip
        elif name == "DeletePortMapping":
            self.held.pop((fields["NewProtocol"], int(fields["NewExternalPort"])), None)
        return (
            '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
            f'<u:{name}Response xmlns:u="urn:x">{inner}</u:{name}Response></s:Body></s:Envelope>'
        ).encode()


class UpnpStream:
    """One connection to an IGD."""

    def __init__(self, server: UpnpServer, stream: Stream) -> None:
        self.server = server
        self.stream = stream
        self.data = b""

    def received(self, data: bytes) -> None:
        self.data += data
        head, found, body = self.data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if found and len(body) >= (int(length[1]) if length else 0):
            self.stream.write(self.server.answer(head.decode(), body.decode()))
            self.stream.close()

    def connected(self, local: Endpoint) -> None:
        raise AssertionError

    def ended(self) -> None: ...

    def drained(self) -> None: ...

    def closed(self, end: StreamEnd) -> None: ...


def http_answer(status: int, body: bytes) -> bytes:
    return (
        f"HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


def fault(code: int, text: str = "no") -> bytes:
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>'
        "<faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>"
        f'<UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>{code}</errorCode>'
        f"<errorDescription>{text}</errorDescription></UPnPError></detail></s:Fault></s:Body></s:Envelope>"
    ).encode()

"""PCP, NAT-PMP, SSDP, the description and the calls of a gateway, as bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.client.mapping.routers import DESCRIPTION, ROUTER, fault
from wlnet.client.mapping import igd, natpmp, pcp, ssdp, xml
from wlnet.client.mapping.epoch import EpochWatch
from wlnet.client.mapping.igd import IgdError, Service, SoapFault, Url
from wlnet.client.mapping.pcp import PcpError
from wlnet.client.mapping.xml import Element, XmlError
from wlnet.protocols.stun.wire import Endpoint
from wlnet.steering.model import Transport

ports = st.integers(0, 65535)
addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
nonces = st.binary(min_size=12, max_size=12)
NONCE = bytes(range(12))
LOCATION = f"http://{ROUTER}:5000/rootDesc.xml"
SERVICE = Service("urn:schemas-upnp-org:service:WANIPConnection:1", Url(Endpoint(ROUTER, 5000), "/c"))


def test_pcp_map_is_as_in_the_rfc() -> None:
    """Figures 2 and 9 of RFC 6887."""
    request = pcp.encode_map("192.168.1.10", NONCE, Transport.UDP, 4000, Endpoint("198.51.100.7", 443), 600)
    assert request.hex(" ", 4) == (
        "02010000 00000258 00000000 00000000 0000ffff c0a8010a "
        "00010203 04050607 08090a0b 11000000 0fa001bb 00000000 00000000 0000ffff c6336407"
    )


def test_pcp_announce_and_the_option() -> None:
    assert pcp.encode_announce("2001:db8::1").hex() == "02000000" + "00000000" + "20010db8" + "0" * 23 + "1"
    request = pcp.encode_map("192.168.1.10", NONCE, Transport.TCP, 4000, None, 0, exact=True)
    assert len(request) == 64
    assert request[-4:].hex() == "02000000"
    assert request[36] == 6


@given(nonces, st.sampled_from(Transport), ports, addresses, ports, st.integers(0, 2**32 - 1), ports)
def test_pcp_answers_are_read_back(
    nonce: bytes, transport: Transport, port: int, address: str, outer: int, lifetime: int, epoch: int
) -> None:
    request = pcp.encode_map(address, nonce, transport, port, Endpoint(address, outer), lifetime)
    answer = pcp.decode_answer(struct.pack("!BBBBII12x", 2, 0x81, 0, 0, lifetime, epoch) + request[24:])
    assert (answer.result, answer.lifetime, answer.epoch) == (0, lifetime, epoch)
    assert answer.mapping is not None
    assert (answer.mapping.nonce, answer.mapping.transport, answer.mapping.port) == (nonce, transport, port)
    assert answer.mapping.external.port == outer


@given(st.one_of(st.binary(max_size=1200), st.binary(max_size=100).map(lambda data: b"\2\x81" + data)))
def test_pcp_takes_any_bytes(data: bytes) -> None:
    try:
        answer = pcp.decode_answer(data)
    except PcpError:
        return
    assert answer.version == data[0]


def test_pcp_of_a_nat_pmp_server() -> None:
    answer = pcp.decode_answer(bytes.fromhex("0080000100000010"))
    assert (answer.version, answer.result) == (0, 1)


@pytest.mark.parametrize("nonce", [b"", b"x" * 11, b"x" * 13])
def test_pcp_nonces_have_twelve_bytes(nonce: bytes) -> None:
    with pytest.raises(ValueError, match="12"):
        pcp.encode_map("192.168.1.10", nonce, Transport.UDP, 1, None, 1)


@pytest.mark.parametrize("port", [-1, 65536])
def test_ports_are_checked(port: int) -> None:
    with pytest.raises(ValueError, match="port"):
        pcp.encode_map("192.168.1.10", NONCE, Transport.UDP, port, None, 1)
    with pytest.raises(ValueError, match="port"):
        natpmp.encode_map(Transport.UDP, port, 0, 1)


def test_nat_pmp_requests_are_as_in_the_rfc() -> None:
    assert natpmp.encode_address().hex() == "0000"
    assert natpmp.encode_map(Transport.TCP, 4000, 443, 600).hex() == "000200000fa001bb00000258"
    assert natpmp.encode_map(Transport.UDP, 4000, 0, 0).hex() == "000100000fa0000000000000"


@given(st.sampled_from(Transport), ports, ports, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_nat_pmp_answers_are_read_back(
    transport: Transport, port: int, outer: int, lifetime: int, epoch: int
) -> None:
    opcode = 0x81 if transport is Transport.UDP else 0x82
    data = struct.pack("!BBHIHHI", 0, opcode, 0, epoch, port, outer, lifetime)
    assert natpmp.decode_answer(data) == natpmp.MapAnswer(
        result=0, transport=transport, epoch=epoch, port=port, external=outer, lifetime=lifetime
    )


@given(st.binary(max_size=40), st.booleans())
def test_nat_pmp_takes_any_bytes(data: bytes, answer: bool) -> None:
    if answer:
        data = b"\0\x80" + data
    try:
        natpmp.decode_answer(data)
    except natpmp.NatPmpError:
        return
    assert data[0] == 0
    assert data[1] & 0x80


def test_epochs() -> None:
    watch = EpochWatch()
    assert not watch.lost(100, 0.0)
    assert not watch.lost(160, 60.0)
    assert not watch.lost(161, 60.2)
    assert not watch.lost(160, 60.3)  # a second may be rounded off (RFC 6887 section 8.5)
    assert watch.lost(3, 120.0)
    assert not watch.lost(10, 127.0)
    assert watch.lost(20, 240.0)  # counted on, but for less time than passed
    assert watch.lost(500, 241.0)


# -- UPnP -----------------------------------------------------------------------------------------------


def advert(location: str, target: str = ssdp.TARGETS[0], status: str = "HTTP/1.1 200 OK") -> bytes:
    return f"{status}\r\nCache-Control: max-age=120\r\nST: {target}\r\nLOCATION: {location}\r\n\r\n".encode()


def test_ssdp() -> None:
    assert ssdp.encode_search("x").startswith(b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n")
    assert ssdp.decode_answer(advert(LOCATION)) == ssdp.Advert(LOCATION, ssdp.TARGETS[0])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 50,
        advert(LOCATION, status="HTTP/1.1 404 No"),
        advert(LOCATION, status="NOTIFY * HTTP/1.1"),
        advert(LOCATION, target="urn:schemas-upnp-org:device:MediaServer:1"),
        advert(""),
        advert("http://192.168.1.1/" + "x" * 600),
        advert(LOCATION) + b"x" * 5000,
    ],
)
def test_other_devices_and_noise_are_no_gateways(data: bytes) -> None:
    with pytest.raises(ssdp.SsdpError):
        ssdp.decode_answer(data)


@given(st.binary(max_size=300))
def test_ssdp_takes_any_bytes(data: bytes) -> None:
    for start in (b"", b"HTTP/1.1 200 OK\r\nST: rootdevice\r\nLOCATION: "):
        try:
            assert ssdp.decode_answer(start + data).location
        except ssdp.SsdpError:
            pass


@pytest.mark.parametrize(
    "url",
    [
        "http://192.168.1.2/x",
        "http://localhost/x",
        "http://127.0.0.1/x",
        "http://printer.local/x",
        "http://169.254.169.254/latest",
        "https://192.168.1.1/x",
        "file:///etc/passwd",
        "http://192.168.1.1:99999/x",
        "http://192.168.1.1:0/x",
        "http://user@192.168.1.1/x",
        "http://192.168.1.1@10.0.0.1/",
        "http://[::1]/",
        "http://[",
        "//192.168.1.1/",
        "http://192.168.1.1/a b",
        "http://192.168.1.1/\r\nX: y",
        "",
    ],
)
def test_urls_that_lead_elsewhere(url: str) -> None:
    """What a stranger in the LAN says must not make us ask others (SSRF)."""
    try:
        parsed = igd.parse_url(url, ROUTER)
    except IgdError:
        return
    assert parsed.place.host == ROUTER
    assert not set(parsed.target) & set("\r\n ")


@given(st.text(max_size=60))
def test_any_url_leads_to_the_gateway_or_nowhere(text: str) -> None:
    for url in (text, f"http://{text}", f"http://{ROUTER}{text}"):
        try:
            assert igd.parse_url(url, ROUTER).place.host == ROUTER
        except IgdError:
            pass


def test_a_description() -> None:
    text = DESCRIPTION.format(type="WANIPConnection:1", control="/ctl/IPConn?a=b")
    (service,) = igd.services(text.encode(), LOCATION, ROUTER)
    assert service.control == Url(Endpoint(ROUTER, 5000), "/ctl/IPConn?a=b")
    assert not service.adds_any
    text = DESCRIPTION.format(type="WANIPConnection:2", control=f"http://{ROUTER}:49152/c")
    (service,) = igd.services(text.encode(), LOCATION, ROUTER)
    assert service.control == Url(Endpoint(ROUTER, 49152), "/c")
    assert service.adds_any


def test_the_base_of_a_description() -> None:
    text = DESCRIPTION.format(type="WANPPPConnection:1", control="c").replace(
        "<device>", f"<URLBase>http://{ROUTER}:1234/</URLBase><device>", 1
    )
    assert igd.services(text.encode(), LOCATION, ROUTER)[0].control == Url(Endpoint(ROUTER, 1234), "/c")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<root/>",
        "no xml",
        "<root",
        DESCRIPTION.format(type="Layer3Forwarding:1", control="/c"),
        DESCRIPTION.format(type="WANIPConnection:1", control="http://192.168.1.66/c"),
        DESCRIPTION.format(type="WANIPConnection:1", control="http://[/c"),
        DESCRIPTION.replace("urn:schemas-upnp-org:service:{type}", "WANIPConnection:1"),
    ],
)
def test_what_is_no_description(text: str) -> None:
    with pytest.raises(IgdError):
        igd.services(text.encode(), LOCATION, ROUTER)


def test_a_call_and_its_answers() -> None:
    body = igd.call(
        SERVICE, "AddPortMapping", igd.add_arguments(Transport.UDP, 443, "192.168.1.10", 4000, 600)
    )
    element = xml.parse(body)
    assert element.first_text("NewProtocol") == "UDP"
    assert element.first_text("NewLeaseDuration") == "600"
    assert b'xmlns:u="urn:schemas-upnp-org:service:WANIPConnection:1"' in body
    answer = (
        b"<s:Envelope><s:Body><u:XResponse>"
        b"<NewExternalIPAddress> 1.2.3.4 </NewExternalIPAddress></u:XResponse>"
        b"</s:Body></s:Envelope>"
    )
    reply = igd.answer(answer, "X")
    assert isinstance(reply, Element)
    assert reply.first_text("NewExternalIPAddress") == "1.2.3.4"
    assert igd.answer(fault(718, "Conflict"), "X") == SoapFault(718, "Conflict")
    with pytest.raises(IgdError, match="no answer to what was asked"):
        igd.answer(answer, "Y")


def test_arguments_are_escaped() -> None:
    assert xml.parse(igd.call(SERVICE, "X", (("A", "<&>\"'"),))).first_text("A") == "<&>\"'"


BOMB = b"""<!DOCTYPE lolz [<!ENTITY lol "lol">
<!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
<!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">]><root>&lol3;</root>"""


@pytest.mark.parametrize(
    "data",
    [
        BOMB,
        b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>',
        b'<!DOCTYPE r SYSTEM "http://192.168.1.66/x.dtd"><r/>',
        b"<r>&x;</r>",
        b"<a>" * 50 + b"</a>" * 50,
        b"<a>" + b"<b/>" * 5000 + b"</a>",
        b"<a>" + b"x" * 5000 + b"</a>",
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
        b"\0\xff",
    ],
)
def test_xml_that_is_refused(data: bytes) -> None:
    with pytest.raises(XmlError):
        xml.parse(data)


@given(st.binary(max_size=200), st.sampled_from([b"", b"<a>", b'<?xml version="1.0"?><a b="', b"<!DOCTYPE"]))
def test_xml_takes_any_bytes(data: bytes, start: bytes) -> None:
    try:
        assert xml.parse(start + data).name
    except XmlError:
        pass


@given(st.binary(max_size=200))
def test_answers_take_any_bytes(data: bytes) -> None:
    for body in (data, b"<s:Body>" + data + b"</s:Body>"):
        with pytest.raises(IgdError):
            igd.answer(body, "X")

"""What docs/protocols/rendezvous.md shows is what the code reads and writes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from wlnet.protocols.exchange.messages import Said, decode_hello, decode_said, decode_told, encode
from wlnet.rendezvous.events import Refusal, Told
from wlnet.service.pairs_part import KEY_PERIOD
from wlnet.steering.model import Side, Technique
from wlnet.steering.trace import EndReason
from wlnet.tickets.keys import TicketKeys, keys_at
from wlnet.tickets.ticket import RelayPair, mint

TEXT = (Path(__file__).parents[4] / "docs/protocols/rendezvous.md").read_text()
EXAMPLES = re.findall(r"```json (\w+)\n(.*?)\n```", TEXT, re.DOTALL)
DECODE = {"hello": decode_hello, "said": decode_said, "told": decode_told}


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_examples(kind: str, text: str) -> None:
    """Each is understood, and nothing in it is skipped."""
    written = json.loads(encode(DECODE[kind](text)))
    _contains(written, json.loads(text))


def _contains(whole: object, part: object) -> None:
    if isinstance(part, dict):
        assert isinstance(whole, dict)
        for key, value in part.items():
            _contains(whole[key], value) if key in whole else _is_default(value)
    elif isinstance(part, list):
        assert isinstance(whole, list)
        assert len(whole) == len(part)
        for one, other in zip(whole, part, strict=True):
            _contains(one, other)
    else:
        assert whole == part


def _is_default(value: object) -> None:
    assert value in (0, 0.0, False, "", [], "fresh")


def test_every_message_has_an_example() -> None:
    shown = {json.loads(text).get("type") for _, text in EXAMPLES}
    known = {one.__struct_config__.tag for one in (*get_args(Said), *get_args(Told))}
    assert known <= shown


def test_every_word_is_explained() -> None:
    for word in (*Refusal, *Technique, *EndReason):
        assert f"`{word.value}`" in TEXT, word


def test_vectors_of_tickets() -> None:
    secret = bytes(range(32))
    claims = RelayPair(
        pair="00112233445566778899aabbccddeeff", side=Side.GUEST, rate=100000, address="198.51.100.7"
    )
    ticket = mint(TicketKeys(secret), claims, subject="ann", expires=1000, serial=b"serial01")
    assert ticket.hex() in re.sub(r"\s+", "", TEXT)
    assert f"the period ({KEY_PERIOD:.0f} s)" in TEXT
    assert keys_at(secret, 1_000_000, KEY_PERIOD).current_id.hex() in TEXT

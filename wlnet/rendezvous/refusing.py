"""How the rendezvous says no."""

from __future__ import annotations

from wlnet.rendezvous.events import Refusal


class Refusing(Exception):  # noqa: N818  it is no error of ours
    """What was asked is not done; *text* is a sentence, *code* for programs."""

    def __init__(self, code: Refusal, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

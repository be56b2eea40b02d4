"""XML of a router, read with bounds and without document types, so that nothing in it can unfold."""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat

MAX_DEPTH = 24
MAX_ELEMENTS = 4000
MAX_TEXT = 4096
"""Characters of one element."""


class XmlError(ValueError):
    """It is no XML, or more than we read."""


class Element:
    """An element: its name without prefix, its text, its children."""

    __slots__ = ("children", "name", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = ""
        self.children: list[Element] = []

    def all(self, name: str) -> Iterator[Element]:
        """Those of that name, itself and all below, in their order."""
        if self.name == name:
            yield self
        for child in self.children:
            yield from child.all(name)

    def child_text(self, name: str) -> str:
        """The text of the first child of that name, without white space around; empty if there is none."""
        for child in self.children:
            if child.name == name:
                return child.text.strip()
        return ""

    def first_text(self, name: str) -> str:
        """The text of the first element of that name anywhere below; empty if there is none."""
        for element in self.all(name):
            return element.text.strip()
        return ""


def parse(data: bytes) -> Element:
    """The root element.

    Prefixes are cut off, not resolved: routers leave out their declarations.

    :raises XmlError: it is no XML, has a document type, or is deeper, larger or longer than the limits.
    """
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.doctype
    try:
        parser.Parse(data.strip(b" \t\r\n\0"), True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # LookupError: an unknown encoding
        raise XmlError(str(error)) from error
    if builder.root is None:
        raise XmlError("empty")
    return builder.root


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH:
            raise XmlError("too much")
        element = Element(name.rpartition(":")[2])
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _name: str) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        element = self._open[-1]
        if len(element.text) + len(text) > MAX_TEXT:
            raise XmlError("too long")
        element.text += text

    def doctype(self, *_: object) -> None:
        raise XmlError("a document type")

"""Puts the settings as they are in the code into docs/operators.md, between the two markers."""

from pathlib import Path

from wlnet.config.render import REFERENCE_BEGIN, REFERENCE_END, reference

DOCUMENT = Path(__file__).parent.parent / "docs" / "operators.md"

text = DOCUMENT.read_text(encoding="utf-8")
before, _, rest = text.partition(REFERENCE_BEGIN)
_, _, after = rest.partition(REFERENCE_END + "\n")
DOCUMENT.write_text(before + reference() + after, encoding="utf-8")

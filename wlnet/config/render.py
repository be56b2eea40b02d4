"""The schema written out: a commented file to start from, the settings in force, a reference table."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator

from wlnet.config.fields import Setting, section_texts, settings
from wlnet.config.schema import Config
from wlnet.config.units import format_duration, format_size

_WIDTH = 92
_PLAIN = ("a whole number", "text", "duration", "size", "true or false")
"""What a default value says by itself."""
REFERENCE_BEGIN = "<!-- reference: made by `wlnet config reference`, do not edit -->"
REFERENCE_END = "<!-- end of reference -->"

_HEADER = """\
Configuration of wlnet. Every setting is listed with its default; a line that begins with "#" is a
comment, so remove the "#" before a setting to change it. Durations are seconds or text like "500ms",
"15s", "5min", "2h", "1d"; sizes are bytes or text like "64KiB", "1MiB".
Check changes with: wlnet config check --config FILE"""


def sample(config: Config | None = None) -> str:
    """The commented file ``wlnet config init`` writes; loading it gives *config*.

    :param config: what it shall mean; settings with their default value are commented out.
    """
    config = Config() if config is None else config
    lines = [f"# {line}" for line in _HEADER.splitlines()]
    for section, keys in settings().items():
        lines += ["", "", f"# {section_texts()[section]}", f"[{section}]"]
        for setting, value in _values(config, keys):
            lines += ["", *_comment(setting)]
            lines.append(f"#{setting.key} = {toml_value(setting, setting.default)}")
            if value != setting.default:
                lines.append(f"{setting.key} = {toml_value(setting, value)}")
    return "\n".join(lines) + "\n"


def effective(config: Config) -> str:
    """All settings of *config* as TOML that loads to it; those that differ from the default are marked."""
    lines: list[str] = []
    for section, keys in settings().items():
        lines += ([""] if lines else []) + [f"[{section}]"]
        for setting, value in _values(config, keys):
            changed = (
                f"  # default: {toml_value(setting, setting.default)}" if value != setting.default else ""
            )
            lines.append(f"{setting.key} = {toml_value(setting, value)}{changed}")
    return "\n".join(lines) + "\n"


def effective_json(config: Config) -> str:
    """All settings of *config* as one JSON object, durations in seconds and sizes in bytes."""
    document = {
        section: {setting.key: value for setting, value in _values(config, keys)}
        for section, keys in settings().items()
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def reference() -> str:
    """The Markdown tables of ``docs/operators.md``, with their markers."""
    lines = [REFERENCE_BEGIN]
    for section, keys in settings().items():
        lines += ["", f"### [{section}]", "", section_texts()[section], ""]
        lines += ["| Key | Default | Meaning | Allowed |", "|---|---|---|---|"]
        for setting in keys.values():
            cells = (
                f"`{setting.key}`",
                f"`{toml_value(setting, setting.default)}`",
                setting.description,
                _short_allowed(setting),
            )
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, "", REFERENCE_END]) + "\n"


def toml_value(setting: Setting, value: object) -> str:
    """*value* (seconds, bytes, text, list) as TOML, with a unit where the setting has one."""
    if setting.unit == "duration" and isinstance(value, float):
        value = format_duration(value)
    elif setting.unit == "size" and isinstance(value, int):
        value = format_size(value)
    return _toml(value)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for DEL, which the loader refuses anyway.
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return repr(value)


def _values(config: Config, keys: dict[str, Setting]) -> Iterator[tuple[Setting, object]]:
    for setting in keys.values():
        yield setting, getattr(getattr(config, setting.section), setting.key)


def _comment(setting: Setting) -> list[str]:
    allowed = _short_allowed(setting)
    text = setting.description + ("" if allowed in _PLAIN else f" ({allowed[:1].upper()}{allowed[1:]}.)")
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _short_allowed(setting: Setting) -> str:
    if setting.unit in ("duration", "size"):
        _, _, bounds = setting.allowed().partition("; ")
        if setting.unit == "duration":
            bounds = "not 0" if bounds.startswith("from 10ms") else ""
        return setting.unit + (f", {bounds}" if bounds else "")
    allowed = (
        setting.allowed().replace(" from 0 to 1000000000", "").replace(" from 1 to 1000000000", ", not 0")
    )
    return allowed.replace(" from 0 to 1000000", "; 0: no limit")

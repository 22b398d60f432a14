"""`[process]`, `[limits]`, `[environment]` and `[[waiver]]`: the fields a file sets, checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.policy.model import Environment, Limits, Process, Waiver
from sandbox.policy.rule_tables import NAMES, is_name
from sandbox.policy.source import Table, is_text
from sandbox.policy.values import DURATIONS, SIZES, parse_duration, parse_size, quote

# The kernel's own bounds: PID_MAX_LIMIT on 64-bit machines, and the default of fs.nr_open.
MAX_TASKS = 1 << 22
MAX_OPEN_FILES = 1 << 20

ENV_NAME = "a variable's name: not empty, without '=', spaces and control characters"
ENV_VALUE = "text without NUL characters"

PATH_NAMES = ("cwd", "program", "scratch")
PATHS = "an absolute path, or one that starts with ${cwd}, ${program} or ${scratch}"

Fields = dict[str, Any]


def parse_process(process: Table) -> Fields:
    """The fields of `Process` this section sets."""
    process.only("key in [process]:", Process._fields)
    fields: Fields = {key: process.boolean(key) for key in ("threads", "vdso") if key in process.data}
    if "vfork" in process.data:
        fields["vfork"] = process.choice("vfork", ("emulate", "kernel"))
    if "max" in process.data:
        fields["max"] = process.whole("max", 1, MAX_TASKS)
    return fields


def parse_limits(limits: Table) -> Fields:
    """The fields of `Limits` this section sets."""
    limits.only("key in [limits]:", tuple(field.replace("_", "-") for field in Limits._fields))
    fields: Fields = {}
    for key in ("wall", "cpu"):
        if key in limits.data:
            fields[key] = limits.convert(key, DURATIONS, parse_duration)
    for key in ("memory", "output", "file-size", "audit-size"):
        if key in limits.data:
            fields[key.replace("-", "_")] = limits.convert(key, SIZES, parse_size)
    if "open-files" in limits.data:
        fields["open_files"] = limits.whole("open-files", 1, MAX_OPEN_FILES)
    return fields


def parse_files(files: Table) -> Fields:
    """The fields of `Files` this section sets; `add-read` and its like add to an extended policy's list."""
    lists = [prefix + key for key in ("read", "write", "exec") for prefix in ("", "add-")]
    files.only("key in [files]:", (*lists, "scratch"))
    fields: Fields = {}
    for key in lists:
        if key in files.data:
            fields[key] = tuple(_path(files, path, word) for path, word in files.words(key, PATHS))
    if "scratch" in files.data:
        fields["scratch"] = files.boolean("scratch")
    return fields


def _path(files: Table, path: Any, word: str) -> str:
    name, closed, rest = word[2:].partition("}")
    placed = word.startswith("${") and closed and name in PATH_NAMES and rest[:1] in ("", "/")
    if "\0" in word or not (word.startswith("/") or placed):
        raise files.source.error(path, f"no path: {quote(word)}", PATHS)
    return word


def parse_environment(environment: Table) -> Fields:
    """The fields of `Environment` this section sets."""
    environment.only("key in [environment]:", Environment._fields)
    fields: Fields = {}
    if "keep" in environment.data:
        fields["keep"] = tuple(_kept(environment))
    values = environment.table("set")
    if values:
        fields["set"] = tuple((name, _value(values, name)) for name in values.data)
    return fields


def _kept(environment: Table) -> Iterator[str]:
    """The names in `keep`, each with at most one `*`, at its end."""
    for path, word in environment.words("keep", ENV_NAME):
        if not _is_variable(word.removesuffix("*"), empty=word == "*"):
            allowed = f"{ENV_NAME}; a * at its end stands for every ending"
            raise environment.source.error(path, f"keep can't name {quote(word)}", allowed)
        yield word


def _value(values: Table, name: str) -> str:
    if not _is_variable(name):
        raise values.error(name, f"set can't name {quote(name)}", ENV_NAME)
    return str(values.check(name, ENV_VALUE, lambda value: isinstance(value, str) and "\0" not in value))


def _is_variable(name: str, *, empty: bool = False) -> bool:
    return (bool(name) or empty) and name.isprintable() and not set(name) & set("= *")


def _is_reason(value: Any) -> bool:
    return is_text(value) and bool(value.strip())


def parse_waivers(tables: list[Table]) -> tuple[Waiver, ...]:
    """Every `[[waiver]]` of one file. Raises PolicyError for one without a reason or a name used twice."""
    found: dict[str, Waiver] = {}
    for waiver in tables:
        waiver.only("key in [[waiver]]:", Waiver._fields)
        waiver.require("name", "reason")
        name = waiver.check("name", NAMES, is_name)
        reason = waiver.check("reason", "the reason, on one line", _is_reason)
        if name in found:
            raise waiver.error("name", f"waiver {quote(name)} is there twice", "each waiver once")
        found[name] = Waiver(name, reason)
    return tuple(found.values())

"""A record as text for people: aligned, one line, and safe for a terminal whatever a guest put in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

Fields = Mapping[str, Any]

MAX_TEXT = 256
MAX_ITEMS = 16
MAX_DEPTH = 4
MAX_WIDTH = 4096
MAX_ROWS = 20
_VERDICTS = ("allow", "refuse", "return", "rewrite", "kill")
_RED, _YELLOW, _DIM, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"


def escape(text: str) -> str:
    r"""`text` with every character that is not printable, and the backslash, written out.

    An undecodable byte and an ASCII control become \xNN, others \uNNNN or \UNNNNNNNN. Printable is what
    `str.isprintable` says: no control, format (bidirectional marks among them), surrogate, private or
    unassigned character, and no space but U+0020.
    """
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(map(_escaped, text))


def one_line(text: str) -> str:
    """A message as one printable line. One that is printable stays as it is: what it quotes is escaped."""
    return text if text.isprintable() else escape(text)


def _escaped(char: str) -> str:
    code = ord(char)
    if char == "\\":
        return "\\\\"
    if char.isprintable():
        return char
    if code < 0x80:
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:  # os.fsdecode's spelling of the bytes 0x80 to 0xff
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def quote(text: str) -> str:
    """`text` between double quotes, escaped, at most MAX_TEXT characters of it."""
    shown = escape(text[:MAX_TEXT]).replace('"', '\\"')
    return f'"{shown}"' if len(text) <= MAX_TEXT else f'"{shown}"…'


def value(item: object, depth: int = 0) -> str:
    """Any JSON value as text: numbers and flag names bare, other text quoted, long lists cut with `…`."""
    match item:
        case str():
            bare = item.replace("|", "").replace("_", "")
            return item if bare.isalnum() and bare.isascii() and len(item) <= MAX_TEXT else quote(item)
        case None | bool() | float():
            return str(item)
        case int():
            return str(item) if item.bit_length() <= 128 else f"{item.bit_length()}-bit number"
        case list() | tuple() | dict() if depth >= MAX_DEPTH:
            return "…"
        case list() | tuple():
            return f"[{_joined([value(one, depth + 1) for one in item[:MAX_ITEMS]], len(item), ', ')}]"
        case dict():
            return f"{{{pairs(item, ', ', depth)}}}"
        case _:
            return quote(str(item))


def pairs(items: Fields, between: str = " ", depth: int = 0) -> str:
    """A mapping as `name=value` pairs."""
    some = [f"{_name(key)}={value(items[key], depth + 1)}" for key in list(items)[:MAX_ITEMS]]
    return _joined(some, len(items), between)


def _joined(parts: list[str], total: int, between: str) -> str:
    return between.join(parts if len(parts) == total else [*parts, "…"])


def _name(item: object) -> str:
    return escape(item[:MAX_TEXT]) if isinstance(item, str) else value(item)


def _call(record: Fields) -> str:
    args = record.get("args")
    shown = pairs(args, ", ") if isinstance(args, dict) else ""
    verdict = " ".join(_name(record[key]) for key in ("verdict", "errno") if record.get(key) is not None)
    ret = record.get("ret")
    rule, repeats = record.get("rule"), record.get("repeats")
    return (
        f"{_name(record.get('call'))}({shown}) → {verdict}"
        + (f" = {value(ret)}" if ret is not None else "")
        + (f"  ({_name(rule)})" if rule is not None else "")
        + (f"  ({value(repeats)} times)" if repeats is not None else "")
    )


def _start(record: Fields) -> str:
    argv = record.get("argv")
    command = " ".join(map(value, argv[:MAX_ITEMS])) if isinstance(argv, list) else value(argv)
    policy = record.get("policy")
    name = policy.get("name") if isinstance(policy, dict) else policy
    enforcement = record.get("enforcement")
    enforced = f"  {pairs(enforcement)}" if isinstance(enforcement, dict) and enforcement else ""
    context = f"(policy {_name(name)}, kernel {_name(record.get('kernel'))})"
    return f"start {command}  {context}{_elf(record)}{enforced}"


def _elf(record: Fields) -> str:
    elf = record.get("elf")
    return f"  {_name(elf.get('linkage'))}" if isinstance(elf, dict) else ""


def _child(record: Fields) -> str:
    regs = record.get("child_regs")
    shown = f"  child {pairs(regs)}" if isinstance(regs, dict) else ""
    flags = record.get("flags")
    made = f"{_name(record.get('kind'))} → {value(record.get('child'))}"
    return f"child {made}" + (f"  flags={value(flags)}" if flags is not None else "") + shown


def _vfork_block(record: Fields) -> str:
    return f"vfork: held until {value(record.get('child'))} has called execve or is gone"


def _vfork_release(record: Fields) -> str:
    blocked = record.get("blocked_ns")
    after = f" after {blocked // 1000} µs" if _is_count(blocked) else ""
    return f"vfork: released{after} by {value(record.get('child'))} ({_name(record.get('cause'))})"


def _exec(record: Fields) -> str:
    return f"exec {value(record.get('path'))} argv={value(record.get('argv'))}{_elf(record)}"


def _signal(record: Fields) -> str:
    return f"signal {_name(record.get('signal'))} from {value(record.get('from'))}"


def _exit(record: Fields) -> str:
    signal = record.get("signal")
    how = f"code {value(record.get('code'))}" if signal is None else f"by signal {_name(signal)}"
    usage = record.get("usage")
    return f"exit {how}" + (f"  {pairs(usage)}" if isinstance(usage, dict) else "")


def _limit(record: Fields) -> str:
    return f"limit {_name(record.get('which'))} reached: {value(record.get('value'))}"


def _end(record: Fields) -> str:
    usage = record.get("usage")
    text = f"end {_name(record.get('status'))}: {_name(record.get('reason'))}"
    for key in ("exit_code", "signal", "rule"):
        if record.get(key) is not None:
            text += f"  {key}={value(record[key])}"
    return text + (f"  {pairs(usage)}" if isinstance(usage, dict) else "")


def _other(record: Fields) -> str:
    rest = {key: record[key] for key in record if key not in ("v", "seq", "t", "event", "prev", "pid", "tid")}
    return f"{_name(record.get('event'))} {pairs(rest)}".rstrip()


_EVENTS: dict[str, Callable[[Fields], str]] = {
    "start": _start,
    "call": _call,
    "child": _child,
    "vfork-block": _vfork_block,
    "vfork-release": _vfork_release,
    "exec": _exec,
    "signal": _signal,
    "exit": _exit,
    "limit": _limit,
    "end": _end,
}


def line(record: Fields) -> str:
    """The record as one printable line: seconds since start, who, what. Any mapping will do; never raises."""
    event = record.get("event")
    body = _EVENTS.get(event, _other) if isinstance(event, str) else _other
    text = f"{_seconds(record.get('t')):>11} {_who(record):<8} {body(record)}"
    if len(text) > MAX_WIDTH:
        text = f"{text[:MAX_WIDTH]}…"
    return text if text.isprintable() else escape(text)


def lines(record: Fields) -> list[str]:
    """`line`, and behind an `end` record the table of its calls."""
    calls = record.get("calls")
    if record.get("event") != "end" or not isinstance(calls, dict) or not calls:
        return [line(record)]
    return [line(record), *(f"{'':20} {row}" for row in table(calls))]


def colored(record: Fields) -> list[str]:
    """`lines` with a terminal's colours: red where something was ended, yellow where a call was refused."""
    color = _color(record)
    return [f"{color}{text}{_PLAIN}" if color else text for text in lines(record)]


def _color(record: Fields) -> str:
    match record.get("event"):
        case "limit" | "signal":
            return _RED
        case "call":
            verdict = record.get("verdict")
            return _YELLOW if verdict == "refuse" else _RED if verdict == "kill" else ""
        case "vfork-block" | "vfork-release" | "child":
            return _DIM
        case _:
            return ""


def table(calls: Fields) -> list[str]:
    """A table of {call: {verdict: count}}, most frequent call first, at most MAX_ROWS of them."""
    counts = {_name(call): _counts(by) for call, by in calls.items()}
    found = {verdict for by in counts.values() for verdict in by}
    verdicts = [name for name in _VERDICTS if name in found]
    verdicts += sorted(found.difference(verdicts))[: MAX_ITEMS - len(verdicts)]
    rows = sorted(counts, key=lambda call: (-sum(counts[call].values()), call))
    wide = max(len(call) for call in [*rows[:MAX_ROWS], "call"])
    text = [f"{'call':<{wide}}" + "".join(f" {name:>9}" for name in verdicts)]
    for call in rows[:MAX_ROWS]:
        text.append(
            f"{call:<{wide}}" + "".join(f" {counts[call].get(name, 0) or '-':>9}" for name in verdicts)
        )
    if len(rows) > MAX_ROWS:
        text.append(f"… and {len(rows) - MAX_ROWS} other calls")
    return text


def _counts(by: object) -> dict[str, int]:
    if not isinstance(by, dict):
        return {}
    return {_name(verdict): count for verdict, count in by.items() if _is_count(count)}


def _is_count(item: object) -> TypeGuard[int]:
    return type(item) is int and 0 <= item < 1 << 64


def _seconds(t: object) -> str:
    if type(t) is not int or not 0 <= t < 1 << 64:
        return "?"
    return f"{t // 1_000_000_000}.{t // 1000 % 1_000_000:06}"


def _who(record: Fields) -> str:
    pid, tid = record.get("pid"), record.get("tid")
    if pid is None:
        return ""
    return f"[{value(pid)}]" if tid in (None, pid) else f"[{value(pid)}/{value(tid)}]"

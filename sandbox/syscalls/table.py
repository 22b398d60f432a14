"""The x86-64 system calls of Linux 6.18: number and name, arguments, and how wide the kernel reads each.

Pure data, from the kernel's x86-64 table, its SYSCALL_DEFINE types, and section 2 of the manual pages.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from sandbox.syscalls._calls_high import CALLS as _HIGH
from sandbox.syscalls._calls_low import CALLS as _LOW

# Kinds and what the kernel reads: `mode` is a umode_t, of which only the low 16 bits ever count.
_BITS: dict[str, Literal[32, 64]] = {
    "int": 32,
    "uint": 32,
    "long": 64,
    "ulong": 64,
    "ptr": 64,
    "path": 64,
    "str": 64,
    "argv": 64,
    "fd": 32,
    "dirfd": 32,
    "signal": 32,
    "mode": 32,
    "sockfam": 32,
}
KINDS = frozenset(_BITS)
_SIGNED = frozenset({"int", "long", "fd", "dirfd", "signal", "sockfam"})


class Arg(NamedTuple):
    """One argument. `kind` is one of KINDS; `flags` names a set of `flags.FLAG_SETS`, or is ''.

    Kinds: `int`, `uint` (32 bits), `long`, `ulong` (64 bits), `ptr`, `path` and `str` (pointers to
    NUL-terminated text), `argv` (pointer to a NULL-terminated array of pointers), `fd`, `dirfd` (an fd or
    AT_FDCWD), `signal`, `mode` (permission bits), `sockfam` (an address family).
    """

    name: str
    kind: str
    flags: str = ""

    @property
    def bits(self) -> Literal[32, 64]:
        """How many low bits of the register the kernel reads."""
        return _BITS[self.kind]

    @property
    def signed(self) -> bool:
        """True where the kernel compares the argument as a signed number."""
        return self.kind in _SIGNED


_TEXT = _LOW | _HIGH
_NAMES = {nr: text.partition(" ")[0] for nr, text in _TEXT.items()}
NUMBERS: dict[str, int] = {call: nr for nr, call in _NAMES.items()}
_RAW_ARGUMENTS = tuple(Arg(f"arg{index}", "ulong") for index in range(6))
_parsed: dict[int, tuple[Arg, ...]] = {}


def number(call: str) -> int | None:
    """The number of the call of this name; None where there is none. Never raises."""
    return NUMBERS.get(call)


def name(nr: int) -> str:
    """The name of call `nr`, or `syscall_<nr>` where it has none."""
    return _NAMES.get(nr) or f"syscall_{nr}"


def arguments(nr: int) -> tuple[Arg, ...]:
    """The arguments of call `nr` in register order (rdi, rsi, rdx, r10, r8, r9); () where it has none.

    An unknown call has six, `arg0` to `arg5`, of kind `ulong`.
    """
    text = _TEXT.get(nr)
    if text is None:
        return _RAW_ARGUMENTS
    if nr not in _parsed:
        _parsed[nr] = tuple(Arg(*field.split(":")) for field in text.split()[1:])
    return _parsed[nr]


def suggest(word: str, candidates: Iterable[str]) -> str:
    """The candidate nearest to `word`, whatever its case, or '' where none is near."""
    from difflib import get_close_matches

    by_fold = {candidate.casefold(): candidate for candidate in candidates}
    near = get_close_matches(word[:64].casefold(), by_fold, n=1, cutoff=0.7)
    return by_fold[near[0]] if near else ""

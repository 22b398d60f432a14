"""Signal names as the kernel numbers them (signal(7)): 1 to 31, then real-time signals 32 to 64.

The kernel's SIGRTMIN is 32; C libraries keep the first few for themselves and call a later one SIGRTMIN.
"""

from __future__ import annotations

_STANDARD = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN "
    "TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
_SIGRTMIN = 32
_SIGRTMAX = 64

SIGNALS: dict[str, int] = {
    **{f"SIG{word}": number for number, word in enumerate(_STANDARD.split(), 1)},
    "SIGRTMIN": _SIGRTMIN,
    **{f"SIGRTMIN+{number - _SIGRTMIN}": number for number in range(_SIGRTMIN + 1, _SIGRTMAX + 1)},
}
ALIASES: dict[str, int] = {
    "SIGIOT": 6,
    "SIGCLD": 17,
    "SIGPOLL": 29,
    "SIGUNUSED": 31,
    "SIGRTMAX": _SIGRTMAX,
}
_NAMES = {number: name for name, number in SIGNALS.items()}


def signal_name(number: int) -> str:
    """`SIGCHLD` for 17, `SIGRTMIN+2` for 34, `signal 70` for a number that is no signal's."""
    return _NAMES.get(number) or f"signal {number}"


def signal_number(name: str) -> int | None:
    """The number of the signal of this name (aliases such as SIGCLD included); None where there is none."""
    number = SIGNALS.get(name)
    return ALIASES.get(name) if number is None else number

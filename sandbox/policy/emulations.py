"""The supervisor's emulations a policy can ask for by name: `emulate = "…"` in a rule.

Only the names live here; `sandbox.rules` holds what they do.
"""

from __future__ import annotations

from typing import NamedTuple


class Emulation(NamedTuple):
    """One emulation, the calls it is for, and what the guest gets."""

    name: str
    calls: tuple[str, ...]
    summary: str


EMULATIONS: tuple[Emulation, ...] = (
    Emulation("zero-clock", ("clock_gettime",), "0 and a zero timespec, whatever the clock"),
    Emulation("char-device-stat", ("fstat",), "0 and a character device of mode 0666, all else zero"),
    Emulation("one-cpu", ("sched_getaffinity",), "a mask with CPU 0 alone; EINVAL for a cpusetsize of 0"),
    Emulation("own-pid", ("set_tid_address",), "the caller's pid; the pointer is ignored"),
    Emulation("elf-exec", ("execve",), "ENOEXEC unless the file is ELF; EINVAL for more than 256 arguments"),
    Emulation(
        "confined-mode",
        ("chmod", "fchmod", "fchmodat", "fchmodat2"),
        "the mode is changed where [files] allows writing; EACCES elsewhere",
    ),
    Emulation(
        "confined-times",
        ("futimesat", "utime", "utimensat", "utimes"),
        "the times are changed where [files] allows writing; EACCES elsewhere",
    ),
    Emulation(
        "confined-owner",
        ("chown", "fchown", "fchownat", "lchown"),
        "0 where owner and group are what is asked for already; EPERM otherwise",
    ),
    Emulation("directory-only", ("getdents64",), "ENOTTY unless the descriptor is a directory"),
)
CONFINED = frozenset({"confined-mode", "confined-times", "confined-owner"})
"""Those that do only what `[files]` allows, so that they weaken nothing."""

EMULATION_CALLS: dict[str, tuple[str, ...]] = {one.name: one.calls for one in EMULATIONS}

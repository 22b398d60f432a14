"""What a filter answers: the 32-bit action values of seccomp(2), and their names for people."""

from __future__ import annotations

from errno import errorcode
from typing import Final

RET_KILL_PROCESS: Final = 0x8000_0000
RET_KILL_THREAD: Final = 0x0000_0000
RET_TRAP: Final = 0x0003_0000
RET_ERRNO: Final = 0x0005_0000
RET_USER_NOTIF: Final = 0x7FC0_0000
RET_TRACE: Final = 0x7FF0_0000
RET_LOG: Final = 0x7FFC_0000
RET_ALLOW: Final = 0x7FFF_0000

RET_ACTION: Final = 0xFFFF_0000
RET_DATA: Final = 0x0000_FFFF

# The kernel cuts the data of RET_ERRNO down to MAX_ERRNO (include/linux/err.h).
MAX_ERRNO: Final = 4095

_NAMES = {
    RET_KILL_PROCESS: "KILL_PROCESS",
    RET_KILL_THREAD: "KILL_THREAD",
    RET_TRAP: "TRAP",
    RET_ERRNO: "ERRNO",
    RET_USER_NOTIF: "USER_NOTIF",
    RET_TRACE: "TRACE",
    RET_LOG: "LOG",
    RET_ALLOW: "ALLOW",
}


def describe(action: int) -> str:
    """`ALLOW`, `TRACE`, `KILL_PROCESS`, `ERRNO(ENOSYS)`; other data as a number, as in `TRACE(5)`.

    A value the kernel does not know is `UNKNOWN(0x...)`; the kernel kills the process for it (4.14).
    """
    name = _NAMES.get(action & RET_ACTION)
    data = action & RET_DATA
    if name is None:
        return f"UNKNOWN({action:#x})"
    if name == "ERRNO":
        return f"ERRNO({errorcode.get(data, data)})"
    return f"{name}({data})" if data else name

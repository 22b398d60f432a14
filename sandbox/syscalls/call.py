"""A system call as a frozen value: what the supervisor saw in the registers, once."""

from __future__ import annotations

from typing import NamedTuple

AUDIT_ARCH_X86_64 = 0xC000003E
X32_BIT = 0x40000000
MASK64 = 0xFFFF_FFFF_FFFF_FFFF


_VSYSCALL_PAGE = 0xFFFF_FFFF_FF60_0000


class Call(NamedTuple):
    """One system call: `nr` as the kernel reads it (32 bits, unsigned), six raw unsigned 64-bit `args`.

    `ip` is the address after the syscall instruction; 0 where it is not known (policy tools).
    """

    nr: int
    args: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0)
    arch: int = AUDIT_ARCH_X86_64
    ip: int = 0


def on_vsyscall_page(call: Call) -> bool:
    """True for a call made through the legacy vsyscall page, which the kernel emulates."""
    return call.ip & ~0xFFF == _VSYSCALL_PAGE


def signed_32(value: int) -> int:
    """A register as the kernel reads it for an `int`: the low 32 bits, signed."""
    value &= 0xFFFF_FFFF
    return value - (1 << 32) if value >> 31 else value

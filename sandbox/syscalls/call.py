"""A system call as a frozen value: what the supervisor saw in the registers, once."""

from __future__ import annotations

from typing import NamedTuple

AUDIT_ARCH_X86_64 = 0xC000003E
X32_BIT = 0x40000000
MASK64 = 0xFFFF_FFFF_FFFF_FFFF


class Call(NamedTuple):
    """One system call: `nr` as the kernel reads it (32 bits, unsigned), six raw unsigned 64-bit `args`.

    `ip` is the address after the syscall instruction; 0 where it is not known (policy tools).
    """

    nr: int
    args: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0)
    arch: int = AUDIT_ARCH_X86_64
    ip: int = 0

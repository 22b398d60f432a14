"""A maker of minimal ELF files, which can be told to lie about anything."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

EHDR = "<16sHHIQQQIHHHHHH"
PHDR = "<IIQQQQQQ"
SIZE = 0x1000
INTERPRETER = b"/lib/ld.so\0"
INTERPRETER_AT = 0x800

HEADER: dict[str, Any] = {
    "ident": b"\x7fELF\x02\x01\x01".ljust(16, b"\0"),
    "type": 2,
    "machine": 62,
    "version": 1,
    "entry": 0x400100,
    "phoff": 64,
    "shoff": 0,
    "flags": 0,
    "ehsize": 64,
    "phentsize": 56,
    "phnum": None,
    "shentsize": 0,
    "shnum": 0,
    "shstrndx": 0,
}
LOAD = {
    "type": 1,
    "flags": 5,
    "offset": 0,
    "vaddr": 0x400000,
    "paddr": 0,
    "filesz": SIZE,
    "memsz": SIZE,
    "align": 4096,
}
INTERP = {**LOAD, "type": 3, "offset": INTERPRETER_AT, "filesz": len(INTERPRETER), "memsz": len(INTERPRETER)}


def elf(
    *segments: dict[str, int], size: int = SIZE, interpreter: bytes = INTERPRETER, **header: Any
) -> bytes:
    """An ELF file of `size` bytes; each segment changes LOAD (or INTERP where its type is 3)."""
    wanted = [{**(INTERP if one.get("type") == 3 else LOAD), **one} for one in segments]
    fields = {**HEADER, "phnum": len(wanted), **header}
    data = struct.pack(EHDR, *fields.values())
    data = data.ljust(fields["phoff"] if fields["phoff"] < SIZE else 64, b"\0")
    data += b"".join(struct.pack(PHDR, *one.values()) for one in wanted)
    data = data.ljust(INTERPRETER_AT, b"\0") + interpreter
    return data.ljust(size, b"\0")[:size]


@pytest.fixture
def make_elf() -> Callable[..., bytes]:
    return elf


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[bytes], int]]:
    """Put bytes into a file and get a descriptor of it."""
    fds: list[int] = []

    def put(data: bytes) -> int:
        path = tmp_path / f"file{len(fds)}"
        path.write_bytes(data)
        fds.append(os.open(path, os.O_RDONLY))
        return fds[-1]

    yield put
    for fd in fds:
        os.close(fd)

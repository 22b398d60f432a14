"""Whether the kernel could start a file, judged from its headers before anything is started.

What is asked of a file is what load_elf_binary() in the kernel's fs/binfmt_elf.c asks of it (as of Linux
6.x), and of elf(5) as much as a program needs to reach its first instruction: segments inside the file, an
entry point inside an executable one. Sections are never looked at; the kernel doesn't either.
"""

from __future__ import annotations

import os
import stat
import struct
from typing import NamedTuple

from sandbox.errors import NotRunnableError

EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
PHDR = struct.Struct("<IIQQQQQQ")
ET_EXEC, ET_DYN = 2, 3
EM_X86_64 = 62
PT_LOAD, PT_INTERP = 1, 3
PF_X, PF_W = 1, 2
MAX_PROGRAM_HEADERS = 65536 // PHDR.size  # load_elf_phdrs() takes 64 KiB of them
PATH_MAX = 4096
PAGE = 4096
TASK_SIZE = (1 << 47) - PAGE  # the end of user space with four-level page tables
_FIRST_READ = 4096
_SCRIPT_LINE = 256  # BINPRM_BUF_SIZE, linux/binfmts.h

_TYPES = {0: "has no type", 1: "is a relocatable object, not linked yet", 4: "is a core dump"}
_MACHINES = {
    2: "SPARC",
    3: "i386",
    4: "m68k",
    8: "MIPS",
    20: "PowerPC",
    21: "64-bit PowerPC",
    22: "s390",
    40: "ARM",
    42: "SuperH",
    43: "64-bit SPARC",
    50: "Itanium",
    62: "x86-64",
    183: "AArch64",
    243: "RISC-V",
    247: "BPF",
    258: "LoongArch",
}
_OTHER_FORMATS = {
    b"MZ": "a Windows or DOS program",
    b"\xcf\xfa\xed\xfe": "a macOS program",
    b"\xca\xfe\xba\xbe": "a Java class or a macOS program",
    b"\0asm": "a WebAssembly module",
    b"!<arch>": "an archive of object files",
}


class Header(NamedTuple):
    """The file header, as in Elf64_Ehdr."""

    ident: bytes
    type: int
    machine: int
    version: int
    entry: int
    phoff: int
    shoff: int
    flags: int
    ehsize: int
    phentsize: int
    phnum: int
    shentsize: int
    shnum: int
    shstrndx: int


class Segment(NamedTuple):
    """One program header, as in Elf64_Phdr."""

    type: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    align: int


def check_runnable(fd: int, name: str) -> None:
    """Return if `fd` holds an x86-64 program that the kernel can start, whatever its permissions.

    The descriptor's offset is not moved. Raises NotRunnableError with one line that begins with `name`.
    """
    try:
        _check(fd)
    except OSError as error:
        raise NotRunnableError(f"{_shown(name)}: cannot be read: {error.strerror}") from error
    except _UnfitError as error:
        raise NotRunnableError(f"{_shown(name)}: {error}") from None


def interpreter(fd: int) -> str | None:
    """The interpreter that the program in `fd` names; None without one, or where it cannot be read any more.

    The descriptor's offset is not moved.
    """
    try:
        first = os.pread(fd, _FIRST_READ, 0)
        segments = _segments(fd, first, _header(first), os.fstat(fd).st_size)
        found = next((segment for segment in segments if segment.type == PT_INTERP), None)
        name = b"" if found is None else os.pread(fd, min(found.filesz, PATH_MAX), found.offset)
    except (OSError, _UnfitError):
        return None
    return os.fsdecode(name.partition(b"\0")[0]) or None


class _UnfitError(Exception):
    pass


def _check(fd: int) -> None:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise _UnfitError("is a directory" if stat.S_ISDIR(status.st_mode) else "is not a regular file")
    first = os.pread(fd, _FIRST_READ, 0)
    header = _header(first)
    segments = _segments(fd, first, header, status.st_size)
    loads = [segment for segment in segments if segment.type == PT_LOAD]
    if not loads:
        raise _UnfitError("has no PT_LOAD segment: there is nothing in it to run")
    for load in loads:
        _check_load(load, status.st_size)
    _check_interpreter(fd, [segment for segment in segments if segment.type == PT_INTERP], status.st_size)
    _check_entry(header, loads)


def _header(first: bytes) -> Header:
    if not first:
        raise _UnfitError("is empty")
    if not first.startswith(b"\x7fELF"):
        raise _UnfitError(_what_else(first))
    if len(first) < 20:
        raise _UnfitError(_truncated("its ELF header"))
    _check_ident(first)
    if len(first) < EHDR.size:
        raise _UnfitError(_truncated("its ELF header"))
    header = Header(*EHDR.unpack_from(first))
    if header.type not in (ET_EXEC, ET_DYN):
        raise _UnfitError(_TYPES.get(header.type, f"has the unknown ELF type {header.type}"))
    return header


def _what_else(first: bytes) -> str:
    if first.startswith(b"#!"):
        return _script(first)
    for magic, what in _OTHER_FORMATS.items():
        if first.startswith(magic):
            return f"is {what}, not an x86-64 ELF"
    return "is not an ELF file"


def _script(first: bytes) -> str:
    words = first[2:_SCRIPT_LINE].split(b"\n")[0].split(None, 1)
    interpreter = _shown(os.fsdecode(b" ".join(words).strip()))
    hint = f"; run its interpreter instead: {interpreter}" if interpreter else ""
    return f"is a script{hint}"


def _check_ident(first: bytes) -> None:
    bits, order = first[4], first[5]
    machine = int.from_bytes(first[18:20], "big" if order == 2 else "little")
    known = _MACHINES.get(machine, f"machine {machine}")
    if bits == 1:
        raise _UnfitError(
            f"is a 32-bit ELF ({'x32' if machine == EM_X86_64 else known}); only 64-bit x86-64 runs here"
        )
    if bits != 2:
        raise _UnfitError(f"is a damaged ELF: class {bits} is neither 32-bit nor 64-bit")
    if order != 1:
        what = f"is a big-endian ELF ({known})" if order == 2 else f"is a damaged ELF: byte order {order}"
        raise _UnfitError(f"{what}; only x86-64 runs here")
    if machine != EM_X86_64:
        raise _UnfitError(f"is an ELF for another machine ({known}); only x86-64 runs here")


def _segments(fd: int, first: bytes, header: Header, size: int) -> list[Segment]:
    if header.phnum == 0:
        raise _UnfitError("is a damaged ELF: it has no program headers")
    if header.phentsize != PHDR.size:
        raise _UnfitError(
            f"is a damaged ELF: its program headers have {header.phentsize} bytes, not {PHDR.size}"
        )
    if header.phnum > MAX_PROGRAM_HEADERS:
        raise _UnfitError(f"is a damaged ELF: {header.phnum} program headers are more than the kernel takes")
    end = header.phoff + header.phnum * PHDR.size
    if end > size:
        raise _UnfitError(_truncated("its program headers"))
    table = first[header.phoff : end] if end <= len(first) else os.pread(fd, end - header.phoff, header.phoff)
    if len(table) != end - header.phoff:
        raise _UnfitError(_truncated("its program headers"))
    return [Segment(*fields) for fields in PHDR.iter_unpack(table)]


def _check_load(load: Segment, size: int) -> None:
    at = f"its segment at {load.vaddr:#x}"
    if load.filesz > load.memsz:
        raise _UnfitError(f"is a damaged ELF: {at} is larger in the file than in memory")
    if load.vaddr + load.memsz > TASK_SIZE:
        raise _UnfitError(f"is a damaged ELF: {at} reaches beyond user memory")
    if load.filesz == 0:
        return
    if load.offset + load.filesz > size:
        raise _UnfitError(_truncated(at))
    if (load.offset - load.vaddr) % PAGE:
        raise _UnfitError(f"is a damaged ELF: {at} and its place in the file do not agree within a page")


def _check_interpreter(fd: int, found: list[Segment], size: int) -> None:
    if not found:
        return
    if len(found) > 1:
        raise _UnfitError("is a damaged ELF: it names several interpreters")
    length, offset = found[0].filesz, found[0].offset
    if not 2 <= length <= PATH_MAX:
        raise _UnfitError(f"is a damaged ELF: its interpreter's name has {length} bytes")
    if offset + length > size:
        raise _UnfitError(_truncated("its interpreter's name"))
    name = os.pread(fd, length, offset)
    if not name.endswith(b"\0") or len(name) != length:
        raise _UnfitError("is a damaged ELF: its interpreter's name does not end with a NUL")
    if name.startswith(b"\0"):
        raise _UnfitError("is a damaged ELF: its interpreter's name is empty")


def _check_entry(header: Header, loads: list[Segment]) -> None:
    holders = [load for load in loads if load.vaddr <= header.entry < load.vaddr + load.memsz]
    if any(load.flags & PF_X for load in holders):
        return
    if header.entry == 0 and header.type == ET_DYN:
        raise _UnfitError("is a shared library: it has no entry point")
    where = "is not executable" if holders else "is outside its segments"
    raise _UnfitError(f"is a damaged ELF: its entry point {header.entry:#x} {where}")


def _truncated(what: str) -> str:
    return f"is a truncated ELF: the file ends before the end of {what}"


def _shown(text: str) -> str:
    return text if text.isprintable() else ascii(text)

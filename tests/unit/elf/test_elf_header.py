"""The header check: every lie has its own line, and no good program is refused."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.elf import check_runnable
from sandbox.errors import NotRunnableError

Opened = Callable[[bytes], int]
Make = Callable[..., bytes]
MAX = (1 << 64) - 1
IDENT = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")


def ident(at: int, value: int) -> bytes:
    return IDENT[:at] + bytes([value]) + IDENT[at + 1 :]


# What is changed in a good header, and what is said of it. The first table is of programs that run.
GOOD: dict[str, tuple[list[dict[str, int]], dict[str, Any]]] = {
    "static": ([{}], {}),
    "static-pie": ([{"vaddr": 0}], {"type": 3, "entry": 0x100}),
    "dynamic": ([{}, {"type": 3}], {}),
    "bss": ([{"memsz": 0x100000}], {}),
    "no file bytes in a segment": ([{}, {"offset": 7, "vaddr": 0x500123, "filesz": 0}], {}),
    "entry in the second": ([{"flags": 4}, {"vaddr": 0x500000}], {"entry": 0x500000}),
    "entry at its last byte": ([{}], {"entry": 0x400FFF}),
    "unaligned alike": ([{"offset": 0x234, "vaddr": 0x400234, "filesz": 5, "memsz": 9}], {"entry": 0x400234}),
    "lies about sections": ([{}], {"shoff": MAX, "shnum": 0xFFFF, "shstrndx": 0xFFFF, "shentsize": 1}),
    "lies nobody reads": ([{}], {"version": 9, "ehsize": 0, "ident": IDENT[:6] + b"\xff" * 10}),
    "other segments lie": ([{}, {"type": 4, "offset": MAX, "filesz": MAX}], {}),
    "headers far away": ([{}], {"phoff": 0x700}),
    "headers up to the last byte": ([{}], {"phnum": 72}),
    "strange alignment": ([{"align": 3}], {}),
    "up to the end of user memory": ([{}, {"vaddr": (1 << 47) - 0x2000, "offset": 0, "memsz": 0x1000}], {}),
}

BAD: dict[str, tuple[list[dict[str, int]], dict[str, Any], str]] = {
    "32-bit": ([{}], {"ident": ident(4, 1), "machine": 3}, "is a 32-bit ELF (i386)"),
    "x32": ([{}], {"ident": ident(4, 1)}, "is a 32-bit ELF (x32)"),
    "class 0": ([{}], {"ident": ident(4, 0)}, "class 0"),
    "class 3": ([{}], {"ident": ident(4, 3)}, "class 3"),
    "big endian": ([{}], {"ident": ident(5, 2), "machine": 0x1600}, "is a big-endian ELF (s390)"),
    "byte order 7": ([{}], {"ident": ident(5, 7)}, "byte order 7"),
    "AArch64": ([{}], {"machine": 183}, "for another machine (AArch64)"),
    "RISC-V": ([{}], {"machine": 243}, "for another machine (RISC-V)"),
    "unknown machine": ([{}], {"machine": 9999}, "for another machine (machine 9999)"),
    "no type": ([{}], {"type": 0}, "has no type"),
    "relocatable": ([{}], {"type": 1}, "is a relocatable object"),
    "core": ([{}], {"type": 4}, "is a core dump"),
    "type 0xfe00": ([{}], {"type": 0xFE00}, "unknown ELF type 65024"),
    "no program headers": ([], {}, "has no program headers"),
    "phentsize 55": ([{}], {"phentsize": 55}, "headers have 55 bytes"),
    "phentsize 0": ([{}], {"phentsize": 0}, "headers have 0 bytes"),
    "1171 headers": ([{}], {"phnum": 1171, "size": 0x20000}, "1171 program headers are more"),
    "65535 headers": ([{}], {"phnum": 0xFFFF, "size": 0x400000}, "65535 program headers are more"),
    "headers beyond the end": ([{}], {"phnum": 73}, "before the end of its program headers"),
    "phoff beyond the end": ([{}], {"phoff": 0x1000}, "before the end of its program headers"),
    "phoff wraps": ([{}], {"phoff": MAX - 10}, "before the end of its program headers"),
    "nothing to load": ([{"type": 4}], {}, "no PT_LOAD"),
    "file larger than memory": ([{"memsz": 0xFFF}], {}, "segment at 0x400000 is larger in the file"),
    "segment beyond the end": (
        [{"filesz": 0x1001, "memsz": 0x1001}],
        {},
        "before the end of its segment at 0x400000",
    ),
    "offset beyond the end": ([{"offset": 0x100000}], {}, "before the end of its segment"),
    "offset wraps": ([{"offset": MAX - 0xFFF}], {}, "before the end of its segment"),
    "size wraps": ([{"filesz": MAX, "memsz": MAX}], {}, "beyond user memory"),
    "address wraps": ([{"vaddr": MAX - 0xFFF}], {}, "beyond user memory"),
    "kernel address": ([{"vaddr": 1 << 63}], {}, "beyond user memory"),
    "one page too high": (
        [{}, {"vaddr": (1 << 47) - 0x1000}],
        {},
        "segment at 0x7ffffffff000 reaches beyond user",
    ),
    "one byte too far": ([{}, {"vaddr": (1 << 47) - 0x2000, "memsz": 0x1001}], {}, "beyond user memory"),
    "bss into the kernel": ([{"memsz": 1 << 47}], {}, "beyond user memory"),
    "not agreeing in a page": ([{"vaddr": 0x400010}], {}, "do not agree within a page"),
    "second segment lies": ([{}, {"memsz": 0}], {}, "larger in the file"),
    "two interpreters": ([{}, {"type": 3}, {"type": 3}], {}, "several interpreters"),
    "interpreter without NUL": (
        [{}, {"type": 3}],
        {"interpreter": b"/lib/ld.so!"},
        "does not end with a NUL",
    ),
    "interpreter empty": ([{}, {"type": 3, "filesz": 2}], {"interpreter": b"\0\0"}, "name is empty"),
    "interpreter of one byte": ([{}, {"type": 3, "filesz": 1}], {}, "name has 1 bytes"),
    "interpreter too long": ([{}, {"type": 3, "filesz": 4097}], {"size": 0x4000}, "name has 4097 bytes"),
    "interpreter beyond the end": (
        [{}, {"type": 3, "offset": 0xFFF}],
        {},
        "before the end of its interpreter's name",
    ),
    "interpreter wraps": ([{}, {"type": 3, "offset": MAX}], {}, "before the end of its interpreter's name"),
    "entry nowhere": ([{}], {"entry": 0x401000}, "entry point 0x401000 is outside"),
    "entry zero": ([{}], {"entry": 0}, "entry point 0x0 is outside"),
    "entry in the kernel": ([{}], {"entry": MAX}, "is outside its segments"),
    "entry in data": ([{"flags": 6}], {}, "entry point 0x400100 is not executable"),
    "library": ([{"vaddr": 0, "flags": 4}], {"type": 3, "entry": 0}, "is a shared library"),
}


@pytest.mark.parametrize(("segments", "changes"), GOOD.values(), ids=GOOD)
def test_a_good_program_passes(
    make_elf: Make, opened: Opened, segments: list[dict[str, int]], changes: dict[str, Any]
) -> None:
    fd = opened(make_elf(*segments, **changes))
    check_runnable(fd, "prog")
    assert os.lseek(fd, 0, os.SEEK_CUR) == 0


@pytest.mark.parametrize(("segments", "changes", "reason"), BAD.values(), ids=BAD)
def test_a_lie_is_one_line(
    make_elf: Make, opened: Opened, segments: list[dict[str, int]], changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(NotRunnableError) as caught:
        check_runnable(opened(make_elf(*segments, **changes)), "prog")
    assert str(caught.value).startswith("prog: ")
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()
    assert caught.value.exit_code == 126


OTHER: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "text": (b"hello\n", "is not an ELF file"),
    "almost": (b"\x7fEL", "is not an ELF file"),
    "script": (b"#!/bin/sh -e\necho\n", "is a script; run its interpreter instead: /bin/sh -e"),
    "env script": (
        b"#! /usr/bin/env python3",
        "is a script; run its interpreter instead: /usr/bin/env python3",
    ),
    "bare script": (b"#!\n", "is a script"),
    "hostile script": (b"#!/bin/\x1b[2J\xff\n", r"instead: '/bin/\x1b[2J\udcff'"),
    "long script": (b"#!" + b"x" * 4000, "instead: " + "x" * 254),
    "Windows": (b"MZ\x90", "is a Windows or DOS program"),
    "macOS": (b"\xcf\xfa\xed\xfe\x07", "is a macOS program"),
    "Java": (b"\xca\xfe\xba\xbe\x00", "is a Java class"),
    "wasm": (b"\0asm\x01", "is a WebAssembly module"),
    "archive": (b"!<arch>\n", "is an archive"),
}


@pytest.mark.parametrize(("data", "reason"), OTHER.values(), ids=OTHER)
def test_what_is_no_elf_is_named(opened: Opened, data: bytes, reason: str) -> None:
    with pytest.raises(NotRunnableError) as caught:
        check_runnable(opened(data), "prog")
    said = str(caught.value)
    assert said.startswith("prog: ")
    assert reason in said
    assert said.isprintable()
    assert len(said) < 320


def test_a_program_cut_anywhere_is_refused(make_elf: Make, opened: Opened, tmp_path: Path) -> None:
    whole = make_elf({}, {"type": 3})
    fd = opened(whole)
    check_runnable(fd, "prog")
    for size in range(len(whole) - 1, -1, -1):
        os.truncate(tmp_path / "file0", size)
        with pytest.raises(NotRunnableError, match=r"truncated|is empty|not an ELF"):
            check_runnable(fd, "prog")


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    read, write = os.pipe()
    directory = os.open(tmp_path, os.O_RDONLY)
    path_only = os.open(sys.executable, os.O_PATH)
    try:
        for fd, reason in (
            (read, "not a regular"),
            (directory, "is a directory"),
            (path_only, "cannot be read"),
        ):
            with pytest.raises(NotRunnableError, match=f"^prog: .*{reason}"):
                check_runnable(fd, "prog")
    finally:
        for fd in (read, write, directory, path_only):
            os.close(fd)
    with pytest.raises(NotRunnableError, match="cannot be read: Bad file descriptor"):
        check_runnable(path_only, "prog")


def test_a_hostile_name_is_shown_harmless(opened: Opened) -> None:
    with pytest.raises(NotRunnableError) as caught:
        check_runnable(opened(b""), "a\x1b[2J\nb\u202e\udcff")
    assert str(caught.value) == r"'a\x1b[2J\nb\u202e\udcff': is empty"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 64 + 2 * 56 - 8), value=st.binary(min_size=1, max_size=8))
def test_any_header_is_accepted_or_refused_in_one_line(
    make_elf: Make, opened: Opened, at: int, value: bytes
) -> None:
    data = make_elf({}, {"type": 3})
    fd = opened(data[:at] + value + data[at + len(value) :])
    try:
        check_runnable(fd, "prog")
    except NotRunnableError as error:
        said = str(error)
    else:
        said = "prog: runs"
    assert said.startswith("prog: ")
    assert said.isprintable()


def programs() -> Iterator[Path]:
    """64-bit ELF programs among what this machine's users run."""
    guests = Path(__file__).resolve().parents[3] / "guests" / "build"
    for path in [Path(sys.executable), *sorted(Path("/usr/bin").iterdir()), *sorted(guests.glob("[!.]*/*"))]:
        if path.is_file() and os.access(path, os.R_OK | os.X_OK) and path.suffix not in (".so", ".o", ".a"):
            with path.open("rb") as file:
                if file.read(5) == b"\x7fELF\x02":
                    yield path


def test_no_program_of_this_machine_is_refused() -> None:
    checked = 0
    for path in programs():
        fd = os.open(path, os.O_RDONLY)
        try:
            check_runnable(fd, str(path))
        finally:
            os.close(fd)
        checked += 1
    assert checked > 10

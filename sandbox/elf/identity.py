"""An ELF file's facts for the audit log, through pyelftools, which is loaded at the first question only."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import time
from typing import IO, Literal, NamedTuple, cast

from sandbox import isolated
from sandbox.elf.header import EHDR, EM_X86_64, MAX_PROGRAM_HEADERS, PATH_MAX, PF_W, PF_X, Header
from sandbox.errors import NotRunnableError

Linkage = Literal["static", "static-pie", "dynamic"]

MAX_HASHED = 256 * 1024 * 1024
# Of what a guest executes: it makes such files as often as it likes, and every guest waits for each hash.
MAX_HASHED_OF_GUEST = 16 * 1024 * 1024
MAX_CACHED = 64
_SETTLED_NS = 2_000_000_000
_CHUNK = 1024 * 1024


class ElfFacts(NamedTuple):
    """What a program file is.

    `sha256` is of the whole file, None where that is larger than was to be hashed (a guest must not be able
    to keep the supervisor reading). `interpreter` is None unless `linkage` is dynamic.
    `writable_executable` says whether any loaded segment is both.
    """

    sha256: str | None
    machine: str
    linkage: Linkage
    interpreter: str | None
    writable_executable: bool

    def as_dict(self) -> dict[str, str | None]:
        """The `elf` object of audit records."""
        return {
            "sha256": self.sha256,
            "machine": self.machine,
            "linkage": self.linkage,
            "interpreter": self.interpreter,
        }


_Key = tuple[int, int, int, int, int]
_cache: dict[_Key, ElfFacts] = {}


def facts(fd: int, most: int = MAX_HASHED) -> ElfFacts:
    """The facts of the file `fd` holds, whose offset is not moved; hashed if it has no more than `most`
    bytes, or was before. Remembers the last 64 files.

    Raises NotRunnableError where it cannot be read or is no 64-bit little-endian ELF program, SetupError
    where pyelftools is not installed.
    """
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise NotRunnableError("not a regular file")
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        known = _cache.pop(key, None)
        if known and known.sha256 is None and status.st_size <= most:
            known = None
        found = known or _gather(fd, status.st_size, most)
    except OSError as error:
        raise NotRunnableError(f"cannot be read: {error.strerror}") from error
    # A file changed twice within a tick of its file system's clock keeps its times: let it settle first.
    if known or abs(time.time_ns() - status.st_ctime_ns) > _SETTLED_NS:
        _cache[key] = found
        if len(_cache) > MAX_CACHED:
            del _cache[next(iter(_cache))]
    return found


def load() -> None:
    """Load pyelftools now. Raises SetupError where it is not installed: no file is to blame for that."""
    try:
        import elftools.elf.elffile  # noqa: F401
    except ImportError as error:
        raise isolated.not_loaded(error) from error


def _gather(fd: int, size: int, most: int) -> ElfFacts:
    load()
    image = _Image(fd, size)
    try:
        machine, linkage, interpreter, writable_executable = _described(image)
    except (NotRunnableError, OSError):
        raise
    except Exception as error:  # pyelftools raises what its parsing happens to run into
        raise NotRunnableError("not an ELF program that can be understood") from error
    return ElfFacts(_sha256(fd, size, most), machine, linkage, interpreter, writable_executable)


def _described(image: _Image) -> tuple[str, Linkage, str | None, bool]:
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(cast("IO[bytes]", image))
    interpreter: str | None = None
    writable_executable = False
    for segment in elf.iter_segments():
        if segment["p_type"] == "PT_INTERP" and interpreter is None:
            interpreter = _interpreter(image, segment["p_offset"], segment["p_filesz"])
        elif segment["p_type"] == "PT_LOAD":
            writable_executable |= segment["p_flags"] & (PF_W | PF_X) == PF_W | PF_X
    linkage: Linkage = "dynamic" if interpreter else "static-pie" if elf["e_type"] == "ET_DYN" else "static"
    machine = "x86-64" if image.header.machine == EM_X86_64 else elf.get_machine_arch()
    return machine, linkage, interpreter, writable_executable


def _interpreter(image: _Image, offset: int, size: int) -> str:
    if not 2 <= size <= PATH_MAX:
        raise NotRunnableError("its interpreter's name has an impossible length")
    image.seek(offset)
    return os.fsdecode(image.read(size).split(b"\0")[0])


def _sha256(fd: int, size: int, most: int) -> str | None:
    if size > most:
        return None
    digest, done = hashlib.sha256(), 0
    while chunk := os.pread(fd, min(_CHUNK, size - done), done):
        digest.update(chunk)
        done += len(chunk)
    return digest.hexdigest()


class _Image(io.RawIOBase):
    """The file as pyelftools sees it: without sections, which strippers and packers leave in any state and
    the kernel ignores, and read by offset, so that the descriptor stays where it is."""

    def __init__(self, fd: int, size: int) -> None:
        first = os.pread(fd, EHDR.size, 0)
        if len(first) < EHDR.size or first[:6] != b"\x7fELF\x02\x01":
            raise NotRunnableError("not a 64-bit little-endian ELF")
        self.header = Header(*EHDR.unpack(first))
        if self.header.phnum > MAX_PROGRAM_HEADERS:
            raise NotRunnableError("has more program headers than the kernel takes")
        self._first = EHDR.pack(*self.header._replace(shoff=0, shnum=0, shstrndx=0))
        self._fd = fd
        self._size = size
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        size = self._size - self._at if size < 0 else size
        head = self._first[self._at : self._at + size]
        start = self._at + len(head)
        data = head + (os.pread(self._fd, size - len(head), start) if size > len(head) else b"")
        self._at += len(data)
        return data

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

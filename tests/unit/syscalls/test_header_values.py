"""Every flag, signal and constant whose name the C headers know has the headers' value."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sandbox.syscalls import errnos, flags

# libc and kernel headers declare the same structures, so each family gets a program of its own.
LIBC = """
fcntl.h sys/stat.h sys/mman.h sys/wait.h sys/socket.h sys/ioctl.h sys/ptrace.h sys/resource.h sys/time.h
sys/epoll.h sys/eventfd.h sys/signalfd.h sys/timerfd.h sys/inotify.h sys/fanotify.h sys/personality.h
sys/prctl.h sys/random.h sys/file.h sys/shm.h sys/sem.h sys/msg.h sys/xattr.h sys/swap.h sys/mount.h
sched.h signal.h time.h unistd.h stdio.h errno.h netinet/in.h netinet/tcp.h asm/prctl.h
"""
KERNEL = """
linux/types.h asm/fcntl.h linux/fcntl.h linux/stat.h linux/fs.h linux/falloc.h linux/fadvise.h
linux/mman.h linux/wait.h linux/eventpoll.h linux/eventfd.h linux/signalfd.h linux/timerfd.h
linux/inotify.h linux/fanotify.h linux/personality.h linux/prctl.h linux/random.h linux/shm.h linux/sem.h
linux/msg.h linux/xattr.h linux/mount.h linux/reboot.h linux/sched.h asm/signal.h asm/prctl.h
linux/futex.h linux/seccomp.h linux/memfd.h linux/close_range.h linux/landlock.h linux/kexec.h
linux/module.h linux/perf_event.h linux/io_uring.h linux/keyctl.h linux/rseq.h linux/pidfd.h
linux/userfaultfd.h linux/mempolicy.h asm/ioctls.h linux/sockios.h linux/if_tun.h linux/kd.h linux/vt.h
linux/tiocl.h linux/nsfs.h linux/fiemap.h linux/serial.h linux/termios.h linux/loop.h linux/net.h
linux/netlink.h linux/ptrace.h asm/ptrace-abi.h linux/time.h asm/socket.h linux/errno.h linux/lsm.h
linux/magic.h
"""
# Names a header knows otherwise: a C library hides O_LARGEFILE behind 0, keeps signals 32 and 33 to itself,
# and sizes some ioctl requests by structures that it does not declare.
HIDDEN = {
    "libc": """
O_LARGEFILE SIGRTMIN SIGRTMAX TCGETS2 TCSETS2 TCSETSF2 TCSETSW2 TIOCGISO7816 TIOCSISO7816
""",
    "kernel": "SIGRTMAX",
}


def _known() -> dict[str, set[int]]:
    """Our values by name; a name that many sets share must have one value."""
    values: dict[str, set[int]] = {}
    for known in flags.FLAG_SETS.values():
        for part in (known.bits, known.field, known.aliases):
            for name, value in part.items():
                values.setdefault(name, set()).add(value)
    for name, value in {**flags.CONSTANTS, **errnos.NUMBERS, **errnos.ALIASES}.items():
        values.setdefault(name, set()).add(value)
    return {name: found for name, found in values.items() if "+" not in name}


def _program(headers: str, names: list[str]) -> str:
    lines = ["#define _GNU_SOURCE", "int printf(const char *, ...);"]
    for header in headers.split():
        lines += [f"#if __has_include(<{header}>)", f"#include <{header}>", "#endif"]
    lines.append("int main(void) {")
    for name in names:
        lines += [f"#ifdef {name}", f'printf("{name} %lld\\n", (long long)({name}));', "#endif"]
    return "\n".join([*lines, "return 0; }", ""])


def _ask_the_compiler(folder: Path, headers: str, names: list[str]) -> dict[str, int]:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source, program = folder / "names.c", folder / "names"
    source.write_text(_program(headers, names), encoding="utf-8")
    subprocess.run([compiler, "-w", "-o", program, source], check=True, capture_output=True, timeout=120)
    said = subprocess.run([program], check=True, capture_output=True, text=True, timeout=60).stdout
    return {name: int(value) for name, value in (line.split() for line in said.splitlines())}


@pytest.mark.parametrize(("family", "headers"), [("libc", LIBC), ("kernel", KERNEL)])
def test_values_are_the_headers(tmp_path: Path, family: str, headers: str) -> None:
    ours = _known()
    theirs = _ask_the_compiler(tmp_path, headers, sorted(ours.keys() - set(HIDDEN[family].split())))
    wrong = {
        name: (value, ours[name])
        for name, value in theirs.items()
        if {one & 0xFFFF_FFFF for one in ours[name]} != {value & 0xFFFF_FFFF}
        or (value >= 2**32 and ours[name] != {value})
    }
    assert wrong == {}
    assert len(theirs) >= 450

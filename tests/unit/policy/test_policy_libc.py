"""What up-to-date C libraries call runs under every shipped policy, or is refused so that they fall back.

A library that meets ENOSYS takes the kernel for an older one and does without the call, or does it another
way; EPERM it takes for an answer about this call, and the program fails. glibc asks clone3 before clone
(2.34), faccessat2 before its emulation (2.33), rseq at the start of each thread (2.35).
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from sandbox.outcome import Kill, Refuse
from sandbox.policy.load import load, shipped
from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64, Call
from sandbox.syscalls.errnos import errno_name

POLICIES = {name: load(name) for name in shipped()}
PTR = 0x7FFF_0000_1000
AT_FDCWD = -100
FORK, THREAD, SPAWN = 0x1200011, 0x3D0F00, 0x4111


class Use(NamedTuple):
    """A call as a library makes it."""

    call: str
    args: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.call + "".join(f"-{arg:x}" for arg in self.args[:2])


# At the start of every program: glibc 2.42 and musl 1.2.5, static and dynamic.
START = [
    Use("execve", (PTR, PTR, PTR)),
    Use("brk", (0,)),
    Use("arch_prctl", (0x1002, PTR)),
    Use("arch_prctl", (0x3001, PTR)),
    Use("arch_prctl", (0x5005, PTR)),
    Use("arch_prctl", (0x5001, 1)),
    Use("set_tid_address", (PTR,)),
    Use("set_robust_list", (PTR, 24)),
    Use("rseq", (PTR, 32, 0, 0x53053053)),
    Use("prlimit64", (0, 3, 0, PTR)),
    Use("getrandom", (PTR, 8, 1)),
    Use("mprotect", (PTR, 4096, 1)),
    Use("mmap", (0, 8192, 3, 0x22, -1, 0)),
    Use("mseal", (PTR, 4096, 0)),
    Use("map_shadow_stack", (0, 4096, 1)),
    Use("readlinkat", (AT_FDCWD, PTR, PTR, 4096)),
    Use("readlink", (PTR, PTR, 4096)),
    Use("access", (PTR, 4)),
    Use("open", (PTR, 0x88000)),
    Use("openat", (AT_FDCWD, PTR, 0x80000)),
    Use("read", (3, PTR, 832)),
    Use("pread64", (3, PTR, 784, 64)),
    Use("fstat", (3, PTR)),
    Use("newfstatat", (3, PTR, PTR, 0x1000)),
    Use("close", (3,)),
    Use("poll", (PTR, 3, 0)),
    Use("membarrier", (16, 0)),
    Use("prctl", (0x53564D41, 0, PTR, 4096, PTR)),
    Use("uname", (PTR,)),
]

# In ordinary work, and first among them those newer than the kernels programs are still built for.
WORK = [
    Use("clone3", (PTR, 88)),
    Use("statx", (AT_FDCWD, PTR, 0, 0x7FF, PTR)),
    Use("faccessat2", (AT_FDCWD, PTR, 4, 0x200)),
    Use("openat2", (AT_FDCWD, PTR, PTR, 24)),
    Use("close_range", (3, 0xFFFF_FFFF, 0)),
    Use("epoll_pwait2", (3, PTR, 1, 0, 0, 8)),
    Use("futex_waitv", (PTR, 1, 0, 0, 0)),
    Use("futex_wait", (PTR, 0, 0, 2)),
    Use("futex_wake", (PTR, 1, 1, 2)),
    Use("futex_requeue", (PTR, 0, 1, 1)),
    Use("futex", (PTR, 0x80, 0)),
    Use("pidfd_open", (1, 0)),
    Use("pidfd_send_signal", (3, 9)),
    Use("process_madvise", (3, PTR, 1, 4)),
    Use("process_mrelease", (3,)),
    Use("memfd_create", (PTR, 1)),
    Use("memfd_secret", ()),
    Use("copy_file_range", (3, 0, 4, 0, 4096)),
    Use("preadv2", (3, PTR, 1)),
    Use("pwritev2", (3, PTR, 1)),
    Use("cachestat", (3, PTR, PTR)),
    Use("getxattrat", (AT_FDCWD, PTR)),
    Use("listxattrat", (AT_FDCWD, PTR)),
    Use("file_getattr", (AT_FDCWD, PTR)),
    Use("statmount", (PTR, PTR)),
    Use("listmount", (PTR, PTR)),
    Use("open_tree", (AT_FDCWD, PTR)),
    Use("open_tree_attr", (AT_FDCWD, PTR)),
    Use("name_to_handle_at", (AT_FDCWD, PTR)),
    Use("execveat", (3, PTR, PTR, PTR, 0x1000)),
    Use("io_uring_setup", (8, PTR)),
    Use("landlock_create_ruleset", (0, 0, 1)),
    Use("seccomp", (2, 0, PTR)),
    Use("userfaultfd", (0x80001,)),
    Use("set_mempolicy_home_node", (PTR, 4096)),
    Use("mlock2", (PTR, 4096, 1)),
    Use("pkey_alloc", ()),
    Use("sched_getaffinity", (0, 128, PTR)),
    Use("sched_getattr", (0, PTR, 48)),
    Use("sched_setattr", (0, PTR, 0)),
    Use("getcpu", (PTR, PTR)),
    Use("clock_gettime", (1, PTR)),
    Use("clock_nanosleep", (1, 0, PTR)),
    Use("pselect6", (1, PTR)),
    Use("ppoll", (PTR, 1)),
    Use("pipe2", (PTR, 0x80000)),
    Use("dup3", (1, 2, 0x80000)),
    Use("eventfd2", (0, 0x80000)),
    Use("timerfd_create", (1, 0)),
    Use("inotify_init1", (0,)),
    Use("madvise", (PTR, 4096, 4)),
    Use("rt_sigaction", (15, PTR)),
    Use("rt_sigprocmask", (0, PTR)),
    Use("sigaltstack", (PTR,)),
    Use("tgkill", (5, 5, 6)),
    Use("wait4", (-1, PTR)),
    Use("waitid", (3, 3, PTR)),
    Use("getdents64", (3, PTR)),
    Use("getcwd", (PTR, 4096)),
    Use("prlimit64", (0, 3, PTR, 0)),
    Use("sendfile", (1, 3, 0)),
    Use("fork", ()),
    Use("clone", (FORK, 0)),
    Use("clone", (THREAD, PTR)),
    Use("clone", (SPAWN, PTR)),
    Use("exit_group", (0,)),
]

# Where a policy's author meant another answer, and why.
MEANT = {
    ("compute", "execve"): "EACCES",  # one program: this is what a directory without execute permission says
    ("compute", "execveat"): "EACCES",
    ("ostoo", "arch_prctl"): "EINVAL",  # the specification's; glibc takes it as no control-flow protection
}


def refusal(policy: str, use: Use) -> str | None:
    """The errno's name, or None where the call runs or is answered."""
    nr = table.number(use.call)
    assert nr is not None
    a, b, c, d, e, f = (*(arg & MASK64 for arg in use.args), *(0,) * (6 - len(use.args)))
    decision = POLICIES[policy].decide(Call(nr, (a, b, c, d, e, f)))
    assert not isinstance(decision, Kill)
    return errno_name(decision.errno) if isinstance(decision, Refuse) else None


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("use", START + WORK, ids=str)
def test_allowed_or_enosys(policy: str, use: Use) -> None:
    assert refusal(policy, use) in (None, "ENOSYS", MEANT.get((policy, use.call)))


@pytest.mark.parametrize("policy", ["compute", "default", "workspace"])
@pytest.mark.parametrize("use", START[1:], ids=str)
def test_a_program_can_start(policy: str, use: Use) -> None:
    """Not even a fallback is needed. (The first execve, left out, is the sandbox's own.)"""
    assert refusal(policy, use) is None

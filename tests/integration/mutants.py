"""Deliberate breakages of the product, and the rows of conformance tables that must notice each."""

from __future__ import annotations

from typing import NamedTuple

BIRTHS = "sandbox/supervisor/births.py"
LOOP = "sandbox/supervisor/loop.py"
APPLY = "sandbox/supervisor/apply.py"
OSTOO = "policies/ostoo.toml"

FLAGS_RULE = """[[rule]]
id = "clone-flags"
call = "clone"
unless = { flags = "CLONE_VM|CLONE_VFORK|SIGCHLD" }
"""

STACK_RULE = """[[rule]]
id = "stack-first"
call = "clone"
when = { child_stack = 0 }
verdict = "EINVAL"

"""


class Mutant(NamedTuple):
    """One breakage: in `file`, `old` (which is there once) becomes `new`. Every one of `rows` must notice."""

    name: str
    file: str
    old: str
    new: str
    rows: frozenset[str]


def mutant(name: str, file: str, old: str, new: str, *rows: str) -> Mutant:
    return Mutant(name, file, old, new, frozenset(rows))


def ruled(name: str, rule: str, *rows: str) -> Mutant:
    """A rule more for ostoo, its first."""
    return mutant(name, OSTOO, FLAGS_RULE, f'[[rule]]\nid = "more"\n{rule}\n\n{FLAGS_RULE}', *rows)


MUTANTS = [
    mutant(
        "accepts 0x4100 as well",
        OSTOO,
        FLAGS_RULE,
        FLAGS_RULE.replace(
            '{ flags = "CLONE_VM|CLONE_VFORK|SIGCHLD" }', "{ flags = { in = [0x4111, 0x4100] } }"
        ),
        "clone-flags-16640-stack",
        "clone-flags-16640-0",
    ),
    mutant(
        "checks the stack before the flags",
        OSTOO,
        FLAGS_RULE,
        STACK_RULE + FLAGS_RULE,
        "clone-flags-0-0",
        "clone-flags-0x100004111-0",
        "clone-bit-bit-0-0",
        "clone-bit-bit-63-0",
    ),
    mutant(
        "forgets the child's r9",
        BIRTHS,
        """            if order.request.stripped:
""",
        """            stopped.set_register("r9", 0)
            if order.request.stripped:
""",
        "clone-accepted-stack",
        "clone-accepted-kernel",
        "clone-accepted-junk-arena-arena-arena",
    ),
    mutant(
        "aligns the child's stack",
        BIRTHS,
        """            if order.request.stripped:
""",
        """            stopped.set_register("rsp", order.request.stack & ~15)
            if order.request.stripped:
""",
        "clone-accepted-stack-7",
        "clone-accepted-1",
        "clone-accepted-minus-1",
    ),
    mutant(
        "takes a NULL stack",
        OSTOO,
        """when = { child_stack = 0 }
verdict = "EINVAL"
""",
        """when = { child_stack = 0 }
verdict = "allow"
""",
        "clone-null-stack-0-0",
        "clone-null-stack-natively",
    ),
    mutant(
        "releases the parent at an execve that fails",
        LOOP,
        """        if isinstance(verdict, Allow):
            if (changes :=""",
        """        if call.nr in images.EXEC_CALLS:
            self.births.on_exec(stopped.task)
        if isinstance(verdict, Allow):
            if (changes :=""",
        "blocked-over-failed-exec",
        "blocked-over-failed-exec-by-kernel",
        "blocked-over-failed-exec-until-exec",
    ),
    mutant(
        "answers EPERM to what is not listed",
        OSTOO,
        'unlisted = "ENOSYS"\n\n[calls]',
        'unlisted = "EPERM"\n\n[calls]',
        "unlisted-100",
        "other-ways-57-0",
        "high-bits-refused-0x100000039",
        "blocked-nested-refused",
    ),
    mutant(
        "leaves the child's rdi changed",
        BIRTHS,
        """                stopped.set_register("rdi", order.request.flags)
""",
        """                pass
""",
        "clone-accepted-stack",
        "blocked-until-exit",
    ),
    mutant(
        "leaves the parent's rdi changed",
        APPLY,
        """        stopped.set_register(name, value)
    stopped.task.restore = {}
""",
        """        pass
    stopped.task.restore = {}
""",
        "clone-accepted-stack",
        "blocked-until-exit",
    ),
    mutant(
        "leaves signals blocked in the child",
        BIRTHS,
        """            stopped.set_signal_mask(order.request.mask)
            if not""",
        """            if not""",
        "blocked-until-terminated",
    ),
    mutant(
        "leaves signals blocked in the parent",
        BIRTHS,
        """        stopped.set_signal_mask(self._masks.pop(tid))
        self._parents[tid]""",
        """        self._masks.pop(tid)
        self._parents[tid]""",
        "blocked-signal-pending",
    ),
    mutant(
        "compares 32 bits of the flags",
        "sandbox/syscalls/_calls_low.py",
        '"clone flags:ulong:',
        '"clone flags:uint:',
        "clone-bit-bit-32-stack",
        "clone-bit-bit-63-stack",
        "clone-flags-0x100004111-stack",
    ),
    mutant(
        "does not hold the parent",
        BIRTHS,
        """self._blocking if flags & CLONE_VFORK else "none\"""",
        """"none\"""",
        "blocked-until-exit",
        "blocked-until-exec",
        "blocked-until-killed",
    ),
    mutant(
        "lets int 0x80 through the filter",
        "sandbox/seccomp/compile.py",
        'numbers, kill, "architecture',
        'numbers, numbers, "architecture',
        "int80-20",
    ),
    mutant(
        "takes x32 numbers for unlisted ones",
        "sandbox/seccomp/table.py",
        "((X32_BIT, NEGATIVE - 1),), builder.add(Leaf(RET_KILL_PROCESS))",
        "((X32_BIT, NEGATIVE - 1),), unlisted",
        "x32-1073741824",
        "x32-high-0x7fffffff",
    ),
    mutant(
        "lets every held parent go when any child has ended",
        "sandbox/supervisor/vfork.py",
        """        if child not in self._waiting:
            return []
""",
        """        if child not in self._waiting:
            return [Go(parent) for parent, _ in self._waiting.values()]
""",
        "blocked-over-grandchild",
    ),
    mutant(
        "blocks no signal in the child",
        BIRTHS,
        "stopped.set_signal_mask(order.request.mask)",
        "stopped.set_signal_mask(0)",
        "child-has-mask-some",
        "child-has-mask-all",
    ),
    mutant(
        "blocks no signal in the parent",
        BIRTHS,
        """        stopped.set_signal_mask(self._masks.pop(tid))
        self._parents[tid]""",
        """        self._masks.pop(tid)
        stopped.set_signal_mask(0)
        self._parents[tid]""",
        "parent-keeps-mask-some",
        "parent-keeps-mask-all",
        "parent-keeps-mask-of-child",
    ),
    mutant(
        "blocks one signal more in the child",
        BIRTHS,
        "stopped.set_signal_mask(order.request.mask)",
        "stopped.set_signal_mask(order.request.mask | 1 << 33)",
        "child-has-mask-none",
        "child-has-mask-some",
    ),
    mutant(
        "leaves signals blocked where an allowed call failed",
        BIRTHS,
        """            stopped.set_signal_mask(self._masks.pop(tid))
            self._do""",
        """            self._masks.pop(tid)
            self._do""",
        "failed-clone-keeps-mask",
        "failed-clone-keeps-open-mask",
    ),
    mutant(
        "records the child's end after the parent's release",
        LOOP,
        """        self.recorder.exit(task, stop)
        if not self.shutdown.closing:
            self.births.on_end(task, stop)
""",
        """        if not self.shutdown.closing:
            self.births.on_end(task, stop)
        self.recorder.exit(task, stop)
""",
        "blocked-until-exit",
        "blocked-until-exit-group",
        "blocked-until-killed",
    ),
    mutant("tells of the vDSO", OSTOO, "vdso = false", "vdso = true", "vdso-absent"),
    mutant(
        "executes files anywhere",
        OSTOO,
        'exec = ["/usr",',
        'exec = ["/", "/usr",',
        "execve-outside",
    ),
    ruled(
        "opens nothing O_CLOEXEC",
        'call = "open"\nwhen = { flags = "O_CLOEXEC" }\nrewrite = { flags = 0 }',
        "execve-closes-opened",
    ),
    ruled("does no F_SETFD", 'call = "fcntl"\nwhen = { cmd = "F_SETFD" }\nreturn = 0', "execve-closes-set"),
    ruled(
        "takes pipe2 for pipe",
        'call = "pipe2"\nwhen = { flags = { ne = 0 } }\nrewrite = { flags = 0 }',
        "execve-closes-pipe-prober-fd-3",
        "execve-closes-pipe-prober-fd-4",
    ),
    ruled(
        "says of a second number only that there is one",
        'call = "dup2"\nwhen = { newfd = 40 }\nreturn = 40',
        "execve-keeps-second",
    ),
    mutant(
        "knows no brk",
        OSTOO,
        '"munmap", "brk",',
        '"munmap",',
        "brk-query-0",
        "brk-up-0",
        "brk-up-1",
        "brk-up-4096",
    ),
    ruled(
        "never moves the break",
        'call = "brk"\nwhen = { addr = { ne = 0 } }\nrewrite = { addr = 0 }',
        "brk-up-1",
        "brk-up-4096",
        "brk-up-65537",
        "brk-stays",
        "brk-memory",
    ),
    ruled(
        "unmaps nothing",
        'call = "munmap"\nreturn = 0',
        "munmap-gone-result-1",
        "munmap-gone-result-1+4096",
        "munmap-part-gone",
    ),
    ruled(
        "protects nothing",
        'call = "mprotect"\nreturn = 0',
        "mprotect-none-result-1",
        "mprotect-none-result-1+4096",
        "mprotect-read-result-1",
    ),
    ruled(
        "never gives memory back its use",
        'call = "mprotect"\nwhen = { prot = 3 }\nreturn = 0',
        "mprotect-again-result-1",
        "mprotect-again-result-1+4096",
    ),
    ruled(
        "maps no code",
        'call = "mmap"\nwhen = { prot = { mask = "PROT_EXEC", ne = 0 } }\nverdict = "EACCES"',
        "mmap-exec-4",
        "mmap-exec-5",
        "mmap-exec-7",
        "mmap-exec-file-5",
    ),
    ruled(
        "makes no memory code",
        'call = "mprotect"\nwhen = { prot = { mask = "PROT_EXEC", ne = 0 } }\nverdict = "EACCES"',
        "mprotect-exec-4",
        "mprotect-exec-5",
        "mprotect-exec-7",
    ),
    ruled(
        "maps where it likes",
        'call = "mmap"\nwhen = { flags = { mask = "MAP_FIXED", ne = 0 } }\n'
        'rewrite = { flags = { mask = "~MAP_FIXED" } }',
        "mmap-zero",
        "mmap-fixed",
        "mmap-file-bytes",
        "mmap-file-offset",
    ),
    ruled(
        "takes no hint",
        'call = "mmap"\nwhen = { addr = { ne = 0 }, flags = { mask = "MAP_FIXED", eq = 0 } }\n'
        'verdict = "EINVAL"',
        "mmap-hint-unmapped+0x100000",
        "mmap-hint-arena",
    ),
    ruled(
        "maps every file from its beginning",
        'call = "mmap"\nwhen = { offset = 4096 }\nrewrite = { offset = 0 }',
        "mmap-file-offset",
    ),
    ruled(
        "sets no fs_base",
        'call = "arch_prctl"\nwhen = { code = "ARCH_SET_FS" }\nreturn = 0',
        "arch-prctl-fs-base",
        "arch-prctl-fs-base-again",
    ),
    ruled(
        "writes no random bytes",
        'call = "getrandom"\nwhen = { count = 256 }\nreturn = 256',
        "getrandom-fills-256-0",
        "getrandom-fills-256-1",
    ),
    ruled(
        "knows no more than 256 random bytes",
        'call = "getrandom"\nwhen = { count = { gt = 256 } }\nrewrite = { count = 256 }',
        "getrandom-fills-257-0",
        "getrandom-fills-4096-0",
    ),
    ruled(
        "catches no SIGUSR2",
        'call = "rt_sigaction"\nwhen = { signum = 12 }\nverdict = "EINVAL"',
        "rt-sigaction-each-12",
    ),
    ruled(
        "sends no SIGPWR",
        'call = "kill"\nwhen = { sig = 30 }\nreturn = 0',
        "kill-self-sigpwr",
    ),
    ruled(
        "knows no more than 128 bytes of processors",
        'call = "sched_getaffinity"\nwhen = { cpusetsize = { gt = 128 } }\nverdict = "EINVAL"',
        "sched-getaffinity-1024",
    ),
    ruled(
        "lists no directory at once",
        'call = "getdents64"\nwhen = { count = { gt = 32768 } }\nverdict = "EINVAL"',
        "getdents64-large-65536",
    ),
    ruled(
        "reads no page",
        'call = "read"\nwhen = { count = 4096 }\nverdict = "EINVAL"',
        "read-4096",
    ),
    ruled(
        "has no descriptor 5 for dup2",
        'call = "dup2"\nwhen = { newfd = 5 }\nverdict = "EBADF"',
        "dup2-5-0",
        "dup2-5-1",
        "dup2-5-2",
    ),
]

BASES = [
    mutant(
        f"sets the {who}'s {base}",
        BIRTHS,
        old,
        f"""            stopped.set_register("{base}", 0x7000)
{old}""".replace(" " * 12, " " * indent, 1),
        "clone-accepted-stack",
        "clone-accepted-kernel",
        "clone-accepted-junk-arena-arena-arena",
    )
    for base in ("fs_base", "gs_base")
    for who, old, indent in (
        ("parent", "        self._parents[tid] = stopped.registers()\n", 8),
        ("child", "            if order.request.stripped:\n", 12),
    )
]

# Found by what a policy's own rules say, without a table: (breakage, calls that notice).
DERIVED = [
    mutant(
        "takes < for <= in the filter",
        "sandbox/seccomp/table.py",
        '"le": (0, limit),',
        '"le": (0, limit - 1),',
        "wait4()",
    ),
    mutant(
        "answers EPERM to what is not listed",
        "sandbox/supervisor/apply.py",
        "return Answer(stopped.spend(), -number)",
        "return Answer(stopped.spend(), -1)",
        "getuid()",
        "fork()",
    ),
]

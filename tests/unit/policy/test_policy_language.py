"""(policy text, call) -> decision: the whole `[calls]` and `[[rule]]` language."""

from __future__ import annotations

import pytest

from sandbox.outcome import Allow, Decision, Emulate, Kill, Refuse, Return, Rewrite
from sandbox.policy.load import loads
from sandbox.policy.model import Files, Limits, Process, Waiver
from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64, Call
from sandbox.syscalls.errnos import errno_name

NEGATIVE32 = 0xFFFF_FFFF
JUNK = 0xBAD_0000_0000


def call(name: str, *args: int) -> Call:
    nr = table.number(name)
    assert nr is not None
    a, b, c, d, e, f = (*(arg & MASK64 for arg in args), *(0,) * (6 - len(args)))
    return Call(nr, (a, b, c, d, e, f))


def show(decision: Decision) -> str:
    """The decision in one line; `quiet` where the filter answers alone."""
    match decision:
        case Allow(rule, watch):
            return f"{'watch' if watch else 'allow'} {rule}"
        case Refuse(errno, rule, recorded):
            return f"{errno_name(errno)} {rule}" + ("" if recorded else " quiet")
        case Return(value, rule, _, recorded):
            return f"{value} {rule}" + ("" if recorded else " quiet")
        case Rewrite(args, rule):
            return f"{dict(args)} {rule}"
        case Kill(rule, reason):
            return f"kill {rule} {reason}".rstrip()
        case Emulate(name, rule):
            return f"{name} {rule}"


@pytest.mark.parametrize(
    ("text", "asked", "decision"),
    [
        ("", call("read"), "ENOSYS unlisted"),
        ('unlisted = "EPERM"', call("read"), "EPERM unlisted"),
        ('unlisted = "kill"', call("read"), "kill unlisted"),
        ('unlisted = "EWOULDBLOCK"', call("read"), "EAGAIN unlisted"),
        ("", Call(501), "ENOSYS unlisted"),
        ('calls.allow = ["read"]', call("read"), "allow calls.allow"),
        ('calls.allow = ["read"]', call("write"), "ENOSYS unlisted"),
        ('calls.watch = ["read"]', call("read"), "watch calls.watch"),
        ('calls.kill = ["ptrace"]', call("ptrace"), "kill calls.kill"),
        ('calls.refuse = { ENOTTY = ["ioctl"] }', call("ioctl"), "ENOTTY calls.refuse quiet"),
        ('calls.return = { 0 = ["futex"] }', call("futex"), "0 calls.return quiet"),
        ('calls.return = { 4096 = ["brk"] }', call("brk"), "4096 calls.return quiet"),
        ('calls.return = { "0x10" = ["brk"] }', call("brk"), "16 calls.return quiet"),
        ('calls.allow = ["@basic-io"]', call("pwritev2"), "allow calls.allow"),
        ('calls.allow = ["@file-system"]', call("fchownat"), "allow calls.allow"),
        ('calls.allow = ["@memory", "brk"]', call("brk"), "allow calls.allow"),
        (
            'calls.allow = ["@basic-io"]\ncalls.refuse.ESPIPE = ["lseek"]',
            call("lseek"),
            "ESPIPE calls.refuse quiet",
        ),
        ('calls.refuse.EROFS = ["@chown"]\ncalls.allow = ["chown"]', call("chown"), "allow calls.allow"),
        (
            'calls.refuse.EROFS = ["@chown"]\ncalls.allow = ["chown"]',
            call("lchown"),
            "EROFS calls.refuse quiet",
        ),
    ],
)
def test_calls(text: str, asked: Call, decision: str) -> None:
    assert show(loads(f"schema = 1\n{text}").decide(asked)) == decision


def with_rule(body: str, *, name: str = "socket", action: str = 'verdict = "EACCES"') -> str:
    return f'schema = 1\ncalls.allow = ["{name}"]\n[[rule]]\nid = "r"\ncall = "{name}"\n{body}\n{action}\n'


@pytest.mark.parametrize(
    ("action", "decision"),
    [
        ('verdict = "EACCES"', "EACCES r"),
        ('verdict = "ENOTSUP"', "EOPNOTSUPP r"),
        ('verdict = "allow"', "allow r"),
        ('verdict = "watch"', "watch r"),
        ('verdict = "kill"', "kill r"),
        ('verdict = "kill"\nhint = "why"', "kill r why"),
        ("return = 0", "0 r"),
        ("return = 0x7fff_ffff_ffff_ffff", f"{2**63 - 1} r"),
        ("return = 0\nquiet = true", "0 r quiet"),
        ('verdict = "EACCES"\nquiet = true', "EACCES r quiet"),
        ('verdict = "EACCES"\nquiet = false', "EACCES r"),
        ("rewrite = { domain = 2 }", "{0: 2} r"),
        ('rewrite = { domain = "AF_UNIX" }', "allow r"),
        ('rewrite = { type = { mask = "SOCK_CLOEXEC" } }', "{1: 0} r"),
        ('rewrite = { type = { mask = "~SOCK_CLOEXEC" }, protocol = -1 }', f"{{2: {NEGATIVE32}}} r"),
    ],
)
def test_actions(action: str, decision: str) -> None:
    assert show(loads(with_rule("", action=action)).decide(call("socket", 1, 1))) == decision


@pytest.mark.parametrize(
    ("name", "emulation"),
    [
        ("clock_gettime", "zero-clock"),
        ("fstat", "char-device-stat"),
        ("sched_getaffinity", "one-cpu"),
        ("set_tid_address", "own-pid"),
        ("execve", "elf-exec"),
        ("getdents64", "directory-only"),
    ],
)
def test_emulations(name: str, emulation: str) -> None:
    policy = loads(with_rule("", name=name, action=f'emulate = "{emulation}"'))
    assert show(policy.decide(call(name))) == f"{emulation} r"


# (call, its argument's place, `when` table, values that match, values that don't)
CONDITIONS = [
    # Equality, names and numbers; a 32-bit argument is what its low half says.
    ("socket", 0, '{ domain = "AF_INET" }', [2, 2 | JUNK], [1, 3, 0]),
    ("socket", 0, "{ domain = 2 }", [2, 2 | JUNK], [1]),
    ("socket", 0, "{ domain = { eq = 2 } }", [2], [1]),
    ("socket", 2, "{ protocol = -1 }", [-1, NEGATIVE32, NEGATIVE32 | JUNK], [0, 1]),
    ("socket", 2, "{ protocol = 0xffffffff }", [-1, NEGATIVE32], [0]),
    # 64 bits where the argument has them.
    ("clone", 0, '{ flags = "CLONE_VM|CLONE_VFORK|SIGCHLD" }', [0x4111], [0x4111 | JUNK, 0x4110, 0]),
    ("mmap", 1, "{ length = 4096 }", [4096], [4096 | JUNK]),
    # Sets.
    ("socket", 0, '{ domain = { in = ["AF_INET", "AF_INET6"] } }', [2, 10, 10 | JUNK], [1, 16]),
    ("socket", 0, '{ domain = { in = [1, "AF_NETLINK", 1] } }', [1, 16], [2]),
    # Inequality.
    ("socket", 0, '{ domain = { ne = "AF_UNIX" } }', [2, 0, 1 << 31], [1, 1 | JUNK]),
    ("wait4", 3, "{ rusage = { ne = 0 } }", [1, JUNK, MASK64], [0]),
    # Ranges: signed 32-bit, unsigned 32-bit, signed and unsigned 64-bit.
    ("kill", 0, "{ pid = { lt = 0 } }", [-1, NEGATIVE32, 1 << 31], [0, 1, JUNK]),
    ("kill", 0, "{ pid = { le = 0 } }", [0, -1, JUNK], [1, (1 << 31) - 1]),
    ("kill", 0, "{ pid = { le = 0, ne = -1 } }", [0, -2], [-1, NEGATIVE32 | JUNK, 1]),
    ("kill", 1, "{ sig = { ge = 1, le = 31 } }", [1, 31, 9 | JUNK], [0, 32, -1]),
    ("kill", 1, "{ sig = { gt = 1, lt = 31 } }", [2, 30], [1, 31, -5]),
    ("close", 0, "{ fd = { ge = 3 } }", [3, 1 << 30], [2, -1, 1 << 31]),
    ("close_range", 0, "{ first = { ge = 3 } }", [3, NEGATIVE32, 1 << 31], [2, 2 | JUNK]),
    ("lseek", 1, "{ offset = { lt = 0 } }", [-1, 1 << 63], [0, NEGATIVE32]),
    ("mmap", 1, "{ length = { gt = 0x1_0000_0000 } }", [1 << 33, MASK64], [1 << 32, 5]),
    ("mmap", 0, "{ addr = { lt = 0x10000 } }", [0, 0xFFFF], [0x10000, MASK64]),
    # Masks.
    (
        "mmap",
        3,
        '{ flags = { mask = "MAP_SHARED|MAP_PRIVATE", eq = "MAP_PRIVATE" } }',
        [2, 0x22],
        [1, 3, 0x20],
    ),
    ("mmap", 2, '{ prot = { mask = "PROT_WRITE|PROT_EXEC", eq = 6 } }', [6, 7], [2, 4, 3, 5]),
    ("open", 1, '{ flags = { mask = "O_WRONLY|O_RDWR|O_CREAT", ne = 0 } }', [1, 2, 0x40, 0x41], [0, 0x80000]),
    ("open", 1, '{ flags = { mask = "~O_CLOEXEC", ne = 0 } }', [1, 0x80001], [0, 0x80000, 0x80000 | JUNK]),
    ("open", 1, '{ flags = { mask = "~( O_CLOEXEC | O_RDWR )", eq = 0 } }', [0, 2, 0x80002], [1, 4]),
    ("open", 1, '{ flags = { mask = "O_ACCMODE", eq = "O_WRONLY" } }', [1, 0x41], [0, 2, 3, 0x42]),
    ("open", 1, '{ flags = { mask = "~O_ACCMODE", eq = 0 } }', [0, 1, 2, 3], [4, 0x40]),
    ("mmap", 3, '{ flags = { mask = "MAP_TYPE", ne = "MAP_PRIVATE" } }', [1, 3, 0x21], [2, 0x22]),
    ("clone", 0, '{ flags = { mask = "CSIGNAL", eq = "SIGCHLD" } }', [17, 0x4111], [0, 0x4100, 18]),
    ("futex", 1, '{ op = { mask = "FUTEX_CMD_MASK", eq = "FUTEX_WAKE" } }', [1, 0x81, 0x101], [0, 0x80]),
    (
        "mknod",
        1,
        '{ mode = { mask = "S_IFMT", in = ["S_IFIFO", "S_IFSOCK"] } }',
        [0o10644, 0o140000],
        [0o20644],
    ),
    ("chmod", 1, '{ mode = { mask = "S_ISUID|S_ISGID", ne = 0 } }', [0o4755, 0o2000], [0o1777]),
    ("chmod", 1, '{ mode = "S_IRWXU|S_IRGRP" }', [0o740, 0o740 | 1 << 16], [0o700]),
    ("chmod", 1, '{ mode = { mask = "~(S_IRWXU|S_IFMT)", eq = 0 } }', [0o700, 0o100700], [0o740, 0o4700]),
    ("socket", 0, '{ domain = { in = ["PF_INET", "PF_LOCAL"] } }', [2, 1], [10]),
    ("open", 1, '{ flags = { mask = 3, in = ["O_WRONLY", "O_RDWR"] } }', [1, 2, 0x42], [0, 3]),
    (
        "socket",
        1,
        '{ type = { mask = 0xf, in = ["SOCK_STREAM", "SOCK_DGRAM"] } }',
        [1, 2, 0x80001],
        [3, 0x80003],
    ),
    (
        "chmod",
        1,
        "{ mode = { mask = 0o6000, ne = 0 } }",
        [0o4755, 0o2000, 0o4000 | 1 << 20],
        [0o755, 1 << 20],
    ),
    ("chmod", 1, "{ mode = 0o755 }", [0o755, 0o755 | 1 << 16], [0o4755]),
    # Names by the argument's type.
    ("openat", 0, '{ dirfd = "AT_FDCWD" }', [-100, NEGATIVE32 - 99, (NEGATIVE32 - 99) | JUNK], [0, 3]),
    ("openat", 0, "{ dirfd = -100 }", [-100], [100]),
    ("kill", 1, '{ sig = "SIGKILL" }', [9], [15]),
    ("kill", 1, '{ sig = { in = ["SIGTERM", "SIGINT"] } }', [15, 2], [9]),
    (
        "ioctl",
        1,
        '{ request = { in = ["TIOCSTI", "TIOCLINUX"] } }',
        [0x5412, 0x541C, 0x5412 | JUNK],
        [0x5401],
    ),
    ("fcntl", 1, '{ cmd = "F_SETFD" }', [2], [1]),
    ("prctl", 0, '{ option = "PR_SET_SECCOMP" }', [22, 22 | JUNK], [15]),
    ("personality", 0, "{ persona = 0xffffffff }", [NEGATIVE32, -1], [0]),
    ("execve", 0, "{ path = 0 }", [0], [1]),
    ("execve", 2, "{ envp = { ne = 0 } }", [1], [0]),
    # Several arguments: and.
    ("socket", 0, "{ domain = 1, protocol = 0 }", [1], [2]),
    ("socket", 0, "{ domain = 1, protocol = 1 }", [], [1, 2]),
]


@pytest.mark.parametrize(("name", "place", "tests", "matching", "others"), CONDITIONS)
def test_when_and_unless(name: str, place: int, tests: str, matching: list[int], others: list[int]) -> None:
    when, unless = (
        loads(with_rule(f"when = {tests}", name=name)),
        loads(with_rule(f"unless = {tests}", name=name)),
    )
    for values, hit in ((matching, True), (others, False)):
        for value in values:
            asked = call(name, *(value if nth == place else 0 for nth in range(6)))
            assert show(when.decide(asked)) == ("EACCES r" if hit else "allow calls.allow"), hex(value)
            assert show(unless.decide(asked)) == ("allow calls.allow" if hit else "EACCES r"), hex(value)


ORDERED = """
schema = 1
calls.allow = ["socket", "dup"]
[[rule]]
id = "unix"
call = "socket"
when = { domain = "AF_UNIX" }
unless = { type = "SOCK_STREAM" }
verdict = "EPERM"
[[rule]]
id = "inet"
call = ["socket", "socketpair"]
when.domain.in = ["AF_INET", "AF_INET6"]
verdict = "EACCES"
[[rule]]
id = "all"
call = "socketpair"
verdict = "ENOSYS"
"""


@pytest.mark.parametrize(
    ("asked", "decision"),
    [
        (call("socket", 1, 2), "EPERM unix"),
        (call("socket", 1, 1), "allow calls.allow"),
        (call("socket", 2, 1), "EACCES inet"),
        (call("socketpair", 10, 1), "EACCES inet"),
        (call("socketpair", 1, 1), "ENOSYS all"),
        (call("dup"), "allow calls.allow"),
    ],
)
def test_the_first_matching_rule_decides(asked: Call, decision: str) -> None:
    assert show(loads(ORDERED).decide(asked)) == decision


def test_a_rule_knows_where_it_stands() -> None:
    policy = loads(ORDERED, file="some.toml")
    places = {rule.id: (rule.file, rule.line) for rules in policy.rules.values() for rule in rules}
    assert places == {"unix": ("some.toml", 4), "inet": ("some.toml", 10), "all": ("some.toml", 15)}
    assert {rule.call for rules in policy.rules.values() for rule in rules} == {"socket", "socketpair"}


def test_the_other_sections() -> None:
    policy = loads(
        """
        schema = 1
        name = "mine"
        description = "what it is for"
        [process]
        vfork = "kernel"
        max = 3
        threads = true
        vdso = false
        [limits]
        wall = "1.5m"
        cpu = 2.5
        memory = "1GiB"
        output = 4096
        file-size = "2MiB"
        open-files = 12
        audit-size = "10MB"
        [files]
        read = ["/usr"]
        scratch = true
        [environment]
        keep = ["LANG", "LC_*", "*"]
        set = { HOME = "/", EMPTY = "" }
        [[waiver]]
        name = "threads"
        reason = "the program needs them"
        """
    )
    assert (policy.name, policy.description) == ("mine", "what it is for")
    assert policy.process == Process("kernel", 3, True, False)
    assert policy.limits == Limits(
        wall=90.0, cpu=2.5, memory=1 << 30, output=4096, file_size=2 << 20, open_files=12, audit_size=10**7
    )
    assert policy.files == Files(read=("/usr",), scratch=True)
    assert policy.environment.keep == ("LANG", "LC_*", "*")
    assert policy.environment.set == (("HOME", "/"), ("EMPTY", ""))
    assert policy.waivers == (Waiver("threads", "the program needs them"),)


def test_a_short_policy_has_the_models_defaults() -> None:
    policy = loads("schema = 1", file="dir/short.toml")
    assert (policy.name, policy.description, policy.file) == ("short", "", "dir/short.toml")
    assert (policy.process, policy.limits) == (Process(), Limits())
    assert (policy.environment.keep, policy.environment.set, policy.waivers) == ((), (), ())
    assert policy.files is None


def test_the_hint_of_a_rule() -> None:
    policy = loads(with_rule("", action='verdict = "ENOSYS"\nhint = "see there"'))
    assert (policy.hint("r"), policy.hint("calls.allow")) == ("see there", "")

"""Weakenings and waivers: what needs one, what does not, and waivers for nothing."""

from __future__ import annotations

import pytest

from sandbox.outcome import Allow
from sandbox.policy.load import loads, loads_layers
from sandbox.policy.model import Policy
from sandbox.policy.rule_tables import is_name
from sandbox.policy.weakenings import NAMES, UNLISTED, WEAKENINGS, Weakening, doors
from sandbox.policytools.boxes import EVERYTHING, Budget, example, meeting
from sandbox.policytools.check import findings
from sandbox.policytools.weak import present
from sandbox.syscalls import table


def weak(text: str) -> set[str]:
    return set(present(loads("schema = 1\n" + text), Budget()))


def listed(*calls: str) -> str:
    names = ", ".join(f'"{call}"' for call in calls)
    return f"[calls]\nallow = [{names}]\n"


CONFINED = '[files]\nwrite = ["/srv/data"]\n'
PRIVATE = '[files]\nwrite = ["${scratch}/x", "/dev/null"]\n'


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", set()),
        (listed("read", "clone", "fork", "execve"), set()),
        (listed("ptrace"), {"ptrace"}),
        ('[calls]\nwatch = ["ptrace"]\n', {"ptrace"}),
        ('[calls]\nkill = ["ptrace"]\n', set()),
        (listed("process_vm_writev"), {"process-memory"}),
        (listed("mount"), {"mount"}),
        (listed("statmount"), set()),
        (listed("init_module", "kexec_load", "bpf"), {"kernel-modules", "reboot", "bpf"}),
        (listed("io_uring_setup", "userfaultfd"), {"io-uring", "userfaultfd"}),
        (listed("perf_event_open", "keyctl"), {"perf-events", "keyring"}),
        (listed("setns", "unshare"), {"namespaces"}),
        (listed("seccomp"), {"seccomp"}),
        (listed("prctl"), {"seccomp"}),
        (listed("ioctl"), {"terminal-input", "foreign-signals"}),
        (listed("fcntl"), {"foreign-signals"}),
        (listed("pidfd_send_signal"), set()),
        (listed("prlimit64"), {"foreign-limits"}),
        (listed("socket"), {"network", "local-sockets"}),
        (listed("socketpair"), {"local-sockets"}),
        (listed("open"), {"files-anywhere", "set-id-files"}),
        (listed("mkdir"), {"files-anywhere"}),
        (listed("mkdir", "open") + CONFINED, {"set-id-files"}),
        (listed("mkdir", "open") + PRIVATE, set()),
        (listed("mkdir") + '[files]\nwrite = ["//"]\n', {"files-anywhere"}),
        (listed("open") + '[files]\nwrite = ["/dev/shm"]\n', {"set-id-files"}),
        (listed("chmod") + PRIVATE, {"metadata-anywhere", "set-id-files"}),
        (listed("mknod") + CONFINED, {"device-files", "set-id-files"}),
        (listed("fallocate", "ftruncate"), set()),
    ],
)
def test_weakenings_of_lists(text: str, names: set[str]) -> None:
    assert weak(text) == names


def ruled(call: str, rest: str, listed_too: bool = True) -> str:
    return (listed(call) if listed_too else "") + f'[[rule]]\nid = "r"\ncall = "{call}"\n{rest}\n'


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (ruled("ptrace", 'verdict = "EPERM"'), set()),
        (ruled("ptrace", 'when = { op = 0 }\nverdict = "EPERM"'), {"ptrace"}),
        (ruled("ptrace", 'when = { op = 0 }\nverdict = "allow"', False), {"ptrace"}),
        (
            ruled("ioctl", 'when = { request = "TIOCSTI" }\nverdict = "EPERM"'),
            {"terminal-input", "foreign-signals"},
        ),
        (
            ruled("ioctl", 'unless = { request = { in = ["TCGETS", "FIONREAD"] } }\nverdict = "ENOTTY"'),
            set(),
        ),
        (ruled("prctl", 'when = { option = "PR_SET_SECCOMP" }\nverdict = "EPERM"'), set()),
        (ruled("prlimit64", 'unless = { pid = 0 }\nverdict = "EPERM"'), set()),
        (ruled("prlimit64", 'unless = { new_limit = 0 }\nverdict = "EPERM"'), set()),
        (ruled("setpriority", 'unless = { which = "PRIO_PROCESS", who = 0 }\nverdict = "EPERM"'), set()),
        (
            ruled("unshare", 'when = { flags = { mask = "CLONE_NEWUSER", ne = 0 } }\nverdict = "EPERM"'),
            {"namespaces"},
        ),
        (
            ruled("unshare", 'unless = { flags = { in = ["CLONE_FS", "CLONE_FILES"] } }\nverdict = "EPERM"'),
            set(),
        ),
        (ruled("open", 'rewrite = { flags = { mask = "O_CLOEXEC|O_DIRECTORY" } }'), set()),
        (ruled("open", 'rewrite = { flags = "O_RDONLY" }'), set()),
        (ruled("open", 'rewrite = { flags = "O_WRONLY" }'), {"files-anywhere"}),
        (ruled("open", 'rewrite = { flags = "O_CREAT", mode = 0o4755 }'), {"files-anywhere", "set-id-files"}),
        (ruled("open", 'rewrite = { mode = 0o644 }'), {"files-anywhere"}),
        (ruled("open", 'rewrite = { flags = { mask = "~O_CREAT" } }'), {"files-anywhere"}),
        (
            ruled("open", 'when = { flags = 0 }\nrewrite = { flags = "O_WRONLY" }', False),
            {"files-anywhere"},
        ),
        (ruled("socket", 'unless = { domain = "AF_UNIX" }\nverdict = "EACCES"'), {"local-sockets"}),
    ],
)  # fmt: skip
def test_weakenings_that_rules_leave(text: str, names: set[str]) -> None:
    assert weak(text) == names


def test_everything_unlisted_allowed_has_every_weakening() -> None:
    policy = Policy("t", "", "", "", Allow("unlisted"), {}, {})
    assert set(present(policy, Budget())) == set(NAMES) - {"metadata-anywhere"}


@pytest.mark.parametrize("one", WEAKENINGS, ids=NAMES)
def test_each_door_can_be_gone_through(one: Weakening) -> None:
    """Conditions hold for some call, and the names are those a waiver may have."""
    assert is_name(one.name)
    assert one.why == one.why.strip(". ")
    for nr, conditions in doors(one, None):
        box = meeting(EVERYTHING, conditions, Budget())
        assert box is not None
        assert table.name(nr) in table.NUMBERS
        example(box, Budget())


def test_names_are_used_once() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert UNLISTED in NAMES


def told(text: str) -> list[tuple[str, int]]:
    found = findings(loads_layers("schema = 1\n" + text, file="t.toml"))
    return [(one.kind, one.line) for one in found]


def waiver(name: str) -> str:
    return f'[[waiver]]\nname = "{name}"\nreason = "because"\n'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (listed("ptrace"), [("unexplained-weakening", 3)]),
        (listed("ptrace") + waiver("ptrace"), []),
        (waiver("ptrace"), [("unused-waiver", 3)]),
        (waiver("ptrcae"), [("unknown-waiver", 3)]),
        (listed("ptrace") + waiver("ptrcae"), [("unexplained-weakening", 3), ("unknown-waiver", 5)]),
        ('[calls]\nallow = [\n"read",\n"@debug"]\n' + waiver("ptrace") + waiver("process-memory")
         + waiver("foreign-descriptors"), [("unexplained-weakening", 5)]),
        (ruled("ptrace", 'verdict = "allow"', False), [("unexplained-weakening", 2)]),
    ],
)  # fmt: skip
def test_waivers(text: str, found: list[tuple[str, int]]) -> None:
    assert told(text) == found


def test_messages_say_what_to_write() -> None:
    [one] = findings(loads_layers("schema = 1\n" + listed("ptrace")))
    assert one.message == (
        "the policy lets ptrace run, and so looks into other processes and steers them: "
        'a [[waiver]] with name = "ptrace" must give the reason'
    )
    [one] = findings(loads_layers("schema = 1\n" + waiver("ptrcae")))
    assert "did you mean ptrace?" in one.message


def test_a_waiver_of_an_extended_policy_may_be_unneeded_here() -> None:
    text = (
        'schema = 1\nextends = "workspace"\n'
        '[[rule]]\nid = "no-metadata"\n'
        'call = ["chmod", "chown", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat",'
        '"file_setattr", "fremovexattr", "fsetxattr", "futimesat", "lchown", "lremovexattr", "lsetxattr",'
        '"removexattr", "removexattrat", "setxattr", "setxattrat", "utime", "utimensat", "utimes"]\n'
        'verdict = "EPERM"\n'
    )
    loaded = loads_layers(text, file="t.toml")
    assert "metadata-anywhere" not in present(loaded.policy, Budget())
    assert findings(loaded) == []

"""What `policy explain` says: verdict, rule, line, and where it is enforced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox import rules
from sandbox.errors import UsageError
from sandbox.policy.load import Loaded, load_layers, loads_layers
from sandbox.policytools.explain import Explanation, as_dict, as_text, explain
from sandbox.policytools.questions import parse_arguments, parse_call
from sandbox.syscalls import table

TEXT = """schema = 1
unlisted = "EPERM"
[calls]
allow = [
    "read", "@signal",
    "kill", "clone3", "clone", "pidfd_send_signal"]
watch = ["openat"]
refuse = { ENOTTY = ["ioctl"] }
return = { 0 = ["madvise"], 3 = ["getpid"] }
kill = ["ptrace"]
[[rule]]
id = "close-low"
call = "close"
when = { fd = { le = 2, ge = 0 } }
verdict = "EBADF"
quiet = true
hint = "no closing"
[[rule]]
id = "close-high"
call = "close"
when = { fd = { gt = 99 } }
verdict = "allow"
[[rule]]
id = "clock"
call = "clock_gettime"
emulate = "zero-clock"
[[rule]]
id = "pipe"
call = "pipe2"
rewrite = { flags = 0 }
[files]
read = ["/usr"]
[process]
threads = true
"""


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return loads_layers(TEXT, file="t.toml")


def ask(loaded: Loaded, question: str) -> Explanation:
    call, *args = question.split()
    nr = parse_call(call)
    return explain(loaded, nr, parse_arguments(nr, args))


@pytest.mark.parametrize(
    ("question", "verdict", "rule", "line", "kernel", "why"),
    [
        ("read", "allow", "calls.allow", 5, True, "the filter lets it run, with no stop"),
        ("rt_sigaction", "allow", "calls.allow", 5, True, "the filter lets it run, with no stop"),
        ("kill", "allow", "calls.allow", 6, False, "a built-in rule looks at it"),
        ("openat", "watch", "calls.watch", 7, False, "its result is recorded"),
        ("ioctl", "refuse ENOTTY", "calls.refuse", 8, True, "the filter answers alone"),
        ("madvise", "return 0", "calls.return", 9, True, "the filter answers alone"),
        ("getpid", "return 3", "calls.return", 9, False, "the filter can answer with 0 and errnos only"),
        ("ptrace", "kill", "calls.kill", 10, False, "the end is recorded"),
        ("close fd=2", "refuse EBADF", "close-low", 11, True, "the filter answers alone"),
        ("close fd=100", "allow", "close-high", 18, True, "the filter lets it run, with no stop"),
        ("close fd=-1", "refuse EPERM", "unlisted", 2, False, "the answer is recorded"),
        ("clock_gettime", "emulate zero-clock", "clock", 23, False,
         "an emulation answers: 0 and a zero timespec, whatever the clock"),
        ("pipe2 flags=O_CLOEXEC", "rewrite flags=0x0", "pipe", 27, False, "the rule changes arguments"),
        ("999", "refuse EPERM", "unlisted", 2, False, "the answer is recorded"),
        ("-1", "refuse EPERM", "unlisted", 2, False, "the answer is recorded"),
        ("0x40000001", "kill", "x32", 0, True, "the filter answers alone"),
    ],
)  # fmt: skip
def test_verdicts(
    loaded: Loaded, question: str, verdict: str, rule: str, line: int, kernel: bool, why: str
) -> None:
    found = ask(loaded, question)
    told = as_dict(found)
    assert (told["shown"], found.rule, found.place.line) == (verdict, rule, line)
    assert (found.kernel, found.why) == (kernel, why)


@pytest.mark.parametrize(
    ("question", "verdict", "rule", "start"),
    [
        ("clone flags=0x4111 child_stack=0", "refuse EINVAL", "clone-stack", 'id = "clone-stack"'),
        ("clone flags=0x4111 child_stack=0x1000", "allow", "clone-spawn", 'id = "clone-spawn"'),
        ("clone flags=0x100004111", "refuse ENOSYS", "clone-flags", 'id = "clone-flags"'),
        ("clone flags=CLONE_VM|CLONE_VFORK|SIGCHLD arg1=1", "allow", "clone-spawn", 'id = "clone-spawn"'),
    ],
)  # fmt: skip
def test_the_clone_rule_of_ostoo(question: str, verdict: str, rule: str, start: str) -> None:
    found = ask(load_layers("ostoo"), question)
    lines = Path(found.place.file).read_text().splitlines()
    assert lines[found.place.line - 1 : found.place.line + 1] == ["[[rule]]", start]
    text = "\n".join(as_text(found))
    assert f"verdict   {verdict}\n" in text
    assert f"rule      {rule} ({found.place.file}:{found.place.line})" in text
    assert "enforced  supervised: " in text


def test_the_path_ends_with_the_answer(loaded: Loaded) -> None:
    found = ask(loaded, "ioctl")
    assert found.filter_action == "ERRNO(ENOTTY)"
    assert "arch" in found.path[0]
    assert "ret   ERRNO(ENOTTY)" in found.path[-1]
    assert any("ioctl (16)" in line for line in found.path)
    assert len(found.path) < found.filter_length


def test_other_values_of_arguments_not_given(loaded: Loaded) -> None:
    found = ask(loaded, "close")
    assert found.others is not None
    assert {(one.rule, one.verdict) for one in found.others} == {
        ("close-low", "refuse EBADF"), ("close-high", "allow"), ("unlisted", "refuse EPERM"),
    }  # fmt: skip
    for one in found.others:
        assert explain(loaded, 3, one.args).rule == one.rule
    assert ask(loaded, "close fd=5").others == ()
    assert ask(loaded, "read").others == ()


def test_other_values_that_a_built_in_rule_refuses(loaded: Loaded) -> None:
    found = ask(loaded, "clone child_stack=1")
    assert found.others is not None
    assert {(one.rule, one.verdict) for one in found.others} == {
        ("clone-untraced", "refuse EPERM"), ("clone-namespaces", "refuse EPERM"),
        ("clone-parent", "refuse EPERM"), ("calls.allow", "allow"),
    }  # fmt: skip
    assert ask(loaded, "clone flags=CLONE_PTRACE").others == ()


def test_too_many_cases_are_not_listed() -> None:
    text = "schema = 1\n" + "".join(
        f'[[rule]]\nid = "r{n}"\ncall = "close"\nwhen = {{ fd = {n} }}\nverdict = "EIO"\n' for n in range(20)
    )
    found = ask(loads_layers(text), "close")
    assert found.others is None
    assert any("too many cases" in line for line in as_text(found))


@pytest.mark.parametrize(
    ("question", "verdict", "rule"),
    [
        ("clone flags=CLONE_NEWUSER|SIGCHLD", "refuse EPERM", "clone-namespaces"),
        ("clone flags=CLONE_UNTRACED", "refuse EPERM", "clone-untraced"),
        ("clone3", "refuse ENOSYS", "clone3-unreadable"),
        ("pidfd_send_signal sig=SIGKILL", "refuse ENOSYS", "signals-outside"),
    ],
)
def test_a_built_in_refusal_comes_first(loaded: Loaded, question: str, verdict: str, rule: str) -> None:
    found = ask(loaded, question)
    assert as_dict(found)["builtin"] == {"verdict": verdict, "rule": rule}
    assert f"verdict   {verdict}, by the built-in rule {rule}" in list(as_text(found))


@pytest.mark.parametrize("question", ["clone flags=SIGCHLD", "kill pid=7", "read", "close fd=1"])
def test_a_built_in_rule_that_asks_about_the_guest_says_nothing(loaded: Loaded, question: str) -> None:
    assert ask(loaded, question).builtin is None


def test_every_supervised_call_has_a_family() -> None:
    for nr in rules.SUPERVISED:
        assert rules.family(nr)
    assert rules.family(0) == ""
    assert "Signals to others" in rules.family(table.NUMBERS["kill"])


def test_files_are_said_to_be_confined(loaded: Loaded) -> None:
    assert ask(loaded, "openat").confined
    assert not ask(loaded, "read").confined
    assert not ask(loads_layers('schema = 1\n[calls]\nallow = ["openat"]\n'), "openat").confined


def test_json_is_the_same_in_one_object(loaded: Loaded) -> None:
    told = json.loads(json.dumps(as_dict(ask(loaded, "close fd=1"))))
    assert told["policy"] == "t"
    assert (told["call"], told["nr"], told["args"]) == ("close", 3, {"fd": "0x1"})
    assert (told["verdict"], told["errno"], told["rule"]) == ("refuse", "EBADF", "close-low")
    assert (told["file"], told["line"], told["hint"]) == ("t.toml", 11, "no closing")
    assert told["enforced"] == "kernel"
    assert told["filter"]["action"] == "ERRNO(EBADF)"


# ---- questions ----


@pytest.mark.parametrize(
    ("call", "word", "value"),
    [
        ("clone", "flags=0x4111", 0x4111),
        ("clone", "flags=CLONE_VM|SIGCHLD", 0x111),
        ("clone", "arg0=5", 5),
        ("close", "fd=-1", (1 << 64) - 1),
        ("close", "fd=18446744073709551615", (1 << 64) - 1),
        ("openat", "dirfd=AT_FDCWD", (1 << 64) - 100),
        ("kill", "sig=SIGKILL", 9),
        ("socket", "domain=AF_INET", 2),
        ("open", "path=0x1000", 0x1000),
        ("mknod", "mode=S_IFCHR|0o644", 0o20644),
        ("open", "mode=0o644", 0o644),
    ],
)
def test_values(call: str, word: str, value: int) -> None:
    [found] = parse_arguments(parse_call(call), [word]).values()
    assert found == value


@pytest.mark.parametrize(
    ("call", "words", "part"),
    [
        ("clon", [], "unknown system call 'clon' (did you mean clone?)"),
        ("\x1b[2J", [], r"unknown system call '\x1b[2J'"),
        ("0x100000000", [], "more than 32 bits"),
        ("1e3", [], "unknown system call '1e3'"),
        ("clone", ["flags"], "'flags' is no argument: NAME=VALUE is needed"),
        ("clone", ["flag=1"], "'flag'; it has flags, child_stack, ptid, ctid, tls (did you mean flags?)"),
        ("getpid", ["fd=1"], "no argument 'fd'; it has none"),
        ("clone", ["flags=CLONE_VN"], "did you mean CLONE_VM?"),
        ("close", ["fd=x\n"], r"fd has no value named 'x\n'; allowed here: a number in -2147483648"),
        ("close", ["fd=0755"], "fd can't be '0755'; allowed here: a number in -2147483648"),
        ("close", ["fd=0755"], "..4294967295 (did you mean 0o755?)"),
        ("kill", ["sig=SIGTREM"], "sig has no value named 'SIGTREM'; allowed here: a number in "),
        ("kill", ["sig=SIGTREM"], "or a signal such as SIGTERM (did you mean SIGTERM?)"),
        ("openat", ["dirfd=AT_FDCW"], "or AT_FDCWD (did you mean AT_FDCWD?)"),
        ("open", ["path=/etc"], "path is a pointer: the text '/etc' can't be seen in a register"),
        ("open", ["path=/etc"], "allowed here: a number, 0 for NULL"),
        ("open", ["mode=0755"], "'0755' is not a number from 0 to 2^64-1; did you mean 0o755?; allowed"),
        ("open", ["mode=S_ISUDI"], "did you mean S_ISUID?"),
        ("close", ["fd=1", "arg0=2"], "'arg0' is given twice"),
        ("close", ["fd=18446744073709551616"], "more than 64 bits"),
        ("close", ["fd=" + "9" * 5000], "fd can't be '9999"),
        ("close", ["fd="], "fd has no value named ''"),
    ],
)  # fmt: skip
def test_bad_questions(call: str, words: list[str], part: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_arguments(parse_call(call), words)
    assert part in str(caught.value)
    assert str(caught.value).isprintable()

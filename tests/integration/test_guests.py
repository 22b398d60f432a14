"""Every guest under the policies its first comment names, with the parent held by the supervisor and by the
kernel. A guest exits 0 only when it saw what it promises; what the two modes show must be the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sandbox.audit.verifier import verify


class Row(NamedTuple):
    guest: str
    arguments: tuple[str, ...] = ()
    policies: tuple[str, ...] = ("ostoo", "default")
    status: int = 0
    stdin: str = ""


BOTH = ("ostoo", "default")
DEFAULT = ("default",)
THREADS = ("threads",)

ROWS = [
    Row("musl/spawn"),
    Row("glibc/spawn", policies=DEFAULT),
    Row("musl/spawn", ("50",)),
    Row("musl/spawn-full"),
    Row("glibc/spawn-full", policies=DEFAULT),
    Row("raw/clone-regs"),
    Row("musl/trampoline", ("ostoo",)),
    Row("glibc/trampoline", ("ostoo",), DEFAULT),
    Row("musl/clone-wrapper", ("vfork",)),
    Row("glibc/clone-wrapper", ("vfork",), DEFAULT),
    Row("musl/clone-wrapper", ("threads",), THREADS),
    Row("glibc/clone-wrapper", ("threads",), THREADS),
    Row("musl/linen", ("refused",)),
    Row("musl/linen", ("threads",), THREADS),
    Row("musl/linen", ("guard",), THREADS, 128 + 11),
    Row("musl/stubs-ostoo", ("ostoo",), ("ostoo",)),
    Row("musl/vfork-exec"),
    Row("musl/vfork-exit"),
    Row("musl/vfork-failed-exec"),
    Row("musl/vfork-failed-then-exec"),
    Row("musl/vfork-killed"),
    Row("musl/vfork-killed", ("term",)),
    Row("musl/vfork-many", ("200",)),
    Row("musl/vfork-nested", ("8",)),
    Row("musl/vfork-order"),
    Row("musl/vfork-parent-killed"),
    Row("musl/vfork-parent-killed", ("storm", "20")),
    Row("musl/vfork-segv"),
    Row("musl/vfork-signals", ("ostoo",)),
    Row("musl/vfork-signals", ("exec", "ostoo")),
    Row("musl/vfork-signals", policies=DEFAULT),
    Row("musl/vfork-signals", ("exec",), DEFAULT),
    Row("musl/vfork-stop", ("stop",), DEFAULT),
    Row("musl/vfork-stop", ("stop-cont",), DEFAULT),
    Row("musl/vfork-stop", ("group",), DEFAULT),
    Row("musl/vfork-timer", ("1000",), DEFAULT),
    Row("musl/vfork-violation", ("killed",), status=128 + 31),
    Row("musl/signals", policies=DEFAULT),
    Row("glibc/signals", policies=DEFAULT),
    Row("musl/stop-cont", policies=DEFAULT),
    Row("glibc/stop-cont", policies=DEFAULT),
    Row("musl/exec-thread", policies=DEFAULT, status=77),
    Row("musl/exec-thread", policies=THREADS),
    Row("glibc/exec-thread", policies=THREADS),
    Row("musl/threads-many", policies=THREADS),
    Row("glibc/threads-many", policies=THREADS),
    Row("glibc/threads-many", policies=DEFAULT, status=77),
    Row("musl/newborn-signals", policies=THREADS),
    Row("glibc/newborn-signals", policies=THREADS),
    Row("glibc/newborn-signals", policies=DEFAULT, status=77),
    Row("musl/fork-tree", policies=THREADS),
    Row("glibc/fork-tree", policies=THREADS),
    Row("glibc/fork-tree", policies=DEFAULT, status=77),
    Row("musl/exit-codes", ("exit", "0"), DEFAULT),
    Row("musl/exit-codes", ("exit", "200"), DEFAULT, 200),
    Row("musl/exit-codes", ("signal", "15"), DEFAULT, 128 + 15),
    Row("musl/exit-codes", ("signal", "34"), DEFAULT, 128 + 34),
    Row("musl/exit-codes", ("abort",), DEFAULT, 128 + 6),
    Row("musl/copy", stdin="line\n"),
    Row("musl/print-args", ("a", "b c", "")),
]


def rows() -> list[Any]:
    named = [(row, policy) for row in ROWS for policy in row.policies]
    return [
        pytest.param(row, policy, id=f"{row.guest}-{'-'.join(row.arguments)}-{policy}")
        for row, policy in named
    ]


@pytest.mark.parametrize(("row", "policy"), rows())
def test_guest(row: Row, policy: str, run: Any, threads_policy: str, tmp_path: Path) -> None:
    file = threads_policy if policy == "threads" else policy
    seen = {}
    for mode in ("emulate", "kernel"):
        ran = run(row.guest, *row.arguments, policy=file, options=("--vfork", mode), stdin=row.stdin)
        assert ran.status == row.status, f"{mode}: {ran.out}{ran.err}"
        assert "not reached" not in ran.out
        report = verify(str(tmp_path / "audit.jsonl"))
        assert report.state == "complete", report
        seen[mode] = (ran.out, ran.outcome["status"], ran.outcome["usage"]["processes"])
    if row.guest.startswith("musl/vfork-parent-killed") and "storm" in row.arguments:
        return  # how many children are made before each kill is chance
    assert seen["emulate"] == seen["kernel"]


REFUSED = [
    "4100",
    "4101",
    "4110",
    "804111",
    "100004111",
    "3d0f00",
    "1200011",
    "0",
    "ffffffffffffffff",
    "111",
    "11",
]


@pytest.mark.parametrize("policy", BOTH)
@pytest.mark.parametrize("stack", ["stack", "0"])
@pytest.mark.parametrize("flags", REFUSED)
def test_refused_flags(flags: str, stack: str, policy: str, run: Any) -> None:
    ran = run("raw/clone-flags", f"0x{flags}", stack, "ENOSYS", policy=policy)
    assert ran.status == 0, ran.err
    [record] = ran.calls("clone")
    rule = "clone-fork" if policy == "default" and not int(flags, 16) & 0x100 else "clone-flags"
    assert (record["nr"], record["verdict"], record["errno"], record["rule"]) == (
        56,
        "refuse",
        "ENOSYS",
        rule,
    )
    assert not ran.events("child")


@pytest.mark.parametrize("policy", BOTH)
def test_refused_stack(policy: str, run: Any) -> None:
    ran = run("raw/clone-flags", "0x4111", "0", "EINVAL", policy=policy)
    assert ran.status == 0, ran.err
    [record] = ran.calls("clone")
    assert (record["verdict"], record["errno"], record["rule"]) == ("refuse", "EINVAL", "clone-stack")
    assert record["args"]["flags"] == "CLONE_VM|CLONE_VFORK|SIGCHLD"
    assert record["args"]["child_stack"] == "0x0"


@pytest.mark.parametrize("policy", BOTH)
@pytest.mark.parametrize("name", ["fork", "vfork", "clone3"])
def test_refused_numbers(name: str, policy: str, run: Any) -> None:
    ran = run("raw/clone-flags", name, "0", "ENOSYS", policy=policy)
    assert ran.status == 0, ran.err
    [record] = ran.calls(name)
    assert (record["verdict"], record["errno"]) == ("refuse", "ENOSYS")


def test_spawn_records_in_order(run: Any) -> None:
    ran = run("musl/spawn", "3")
    assert ran.status == 0
    children = [record["child"] for record in ran.events("child")]
    assert len(children) == 3
    for child in children:
        story = [
            record
            for record in ran.records
            if child in (record.get("child"), record.get("pid"))
            and record["event"] != "signal"
            and record.get("call") in (None, "execve")
        ]
        words = [record["event"] for record in story]
        assert words == ["child", "vfork-block", "call", "exec", "vfork-release", "exit"]
        born, block, call, execed, release, gone = story
        before = ran.records[born["seq"] - 1]
        assert (before["event"], before["nr"], before["verdict"]) == ("call", 56, "allow")
        assert before["args"]["flags"] == born["flags"] == "CLONE_VM|CLONE_VFORK|SIGCHLD"
        assert before["rule"] == "clone-spawn"
        parent, side = born["parent_regs"], born["child_regs"]
        assert side["rax"] == "0x0"
        assert side["rsp"] == before["args"]["child_stack"]
        assert (side["rip"], side["r9"], side["eflags"]) == (parent["rip"], parent["r9"], parent["eflags"])
        assert parent["rax"] == hex(child)
        assert born["kind"] == "spawn"
        assert block["pid"] == release["pid"] == born["pid"]
        assert call["call"] == "execve"
        assert execed["path"].endswith("/spawn")
        assert execed["elf"]["linkage"] == "static"
        assert release["cause"] == "exec"
        assert release["blocked_ns"] > 0
        assert gone["code"] == 0


@pytest.mark.parametrize(
    ("name", "cause"),
    [("musl/vfork-exit", "exit"), ("musl/vfork-killed", "killed"), ("musl/vfork-failed-exec", "exit")],
)
def test_release_causes(name: str, cause: str, run: Any) -> None:
    ran = run(name)
    assert ran.status == 0
    assert {record["cause"] for record in ran.events("vfork-release")} == {cause}


def test_nested_blocks_release_from_the_inside_out(run: Any) -> None:
    ran = run("musl/vfork-nested", "8")
    blocked = [record["pid"] for record in ran.events("vfork-block")]
    released = [record["pid"] for record in ran.events("vfork-release")]
    assert len(blocked) >= 8
    assert released == blocked[::-1]


def test_wall_limit_ends_held_parent_and_child(run: Any) -> None:
    ran = run("musl/vfork-forever", options=("--timeout", "0.5"))
    assert ran.status == 124
    assert "not reached" not in ran.out
    assert (ran.outcome["status"], ran.outcome["rule"]) == ("limit", "limits.wall")
    assert len(ran.events("exit")) == 2
    assert [record["which"] for record in ran.events("limit")] == ["wall"]


def test_violation_is_the_runs_status(run: Any) -> None:
    ran = run("musl/vfork-violation", "killed")
    assert (ran.outcome["status"], ran.outcome["rule"], ran.outcome["exit_code"]) == (
        "violation",
        "foreign-abi",
        0,
    )


def test_orphans_end_with_the_main_guest(run: Any) -> None:
    ran = run("musl/orphan")
    assert ran.status == 0
    grandchild = int(ran.out.split()[-1])
    [gone] = [record for record in ran.events("exit") if record["pid"] == grandchild]
    assert gone["signal"] == "SIGKILL"


def test_ten_thousand_spawns_leave_nothing(run: Any) -> None:
    ran = run("musl/spawn", "10000")
    assert ran.status == 0
    assert ran.outcome["usage"]["processes"] == 10001
    assert len(ran.events("vfork-release")) == len(ran.events("child")) == 10000
    assert len(ran.events("exit")) == 10001


def test_script_stub(run: Any, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho not reached\n")
    script.chmod(0o755)
    # Elsewhere Landlock refuses it, and the supervisor looks at no file that its guest may not execute.
    ran = run("musl/stubs-ostoo", "ostoo", str(script), options=("--exec", str(script)))
    assert ran.status == 0, ran.err
    assert "not reached" not in ran.out


def test_hint_names_call_and_rule(run: Any) -> None:
    ran = run("glibc/threads-many", policy="default")
    assert (
        "hint: clone refused by default:clone-flags: the program wants threads; see -p workspace" in ran.err
    )


def test_environment_of_the_guest(run: Any, guest: Callable[[str], str]) -> None:
    ran = run(
        "musl/echo-env",
        options=("--env", "GIVEN=1", "--env", "OUTER"),
        env={"OUTER": "2", "SECRET": "3", "LANG": "C"},
    )
    lines = ran.out.splitlines()
    assert {"GIVEN=1", "OUTER=2", "LANG=C"} <= set(lines)
    assert "SECRET=3" not in lines

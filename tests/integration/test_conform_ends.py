"""How sandboxctl conform ends: at a signal, at a closed pipe, and where the prober cannot do its work."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.conformance import execute
from sandbox.conformance.probe import Probe, arena
from sandbox.conformance.run import LOST, run_native, run_probes
from sandbox.syscalls import table
from tests.integration.conftest import HANG
from tests.integration.test_conform_command import MAIN, conform

POLICY = 'schema = 1\nname = "own"\nunlisted = "ENOSYS"\n[calls]\nallow = [{allowed}]\n'
ALLOWED = '"@basic-io", "exit", "exit_group", "clone", "wait4", "getpid"'
HEAD = 'schema = 1\npolicy = "own.toml"\ntitle = "Mine"\n'
# It waits for ever.
SLOW = """[[row]]
id = "slow"
call = "read"
args = ["word:0", "arena+64", 1]
before = [{ call = "pipe", args = ["arena"] }]
expect = 1
"""
WRONG = '[[row]]\nid = "wrong-{nth}"\ncall = "getpid"\nexpect = "EPERM"\n'


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own.toml").write_text(POLICY.format(allowed=ALLOWED + ', "pipe"'))
    return tmp_path / "mine.conform.toml"


def running(directory: Path) -> list[str]:
    """The processes whose command line names the directory."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path("/proc", pid, "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(directory) in command:
            found.append(pid)
    return found


def wait_for_prober(directory: Path, process: subprocess.Popen[bytes]) -> None:
    """Until the prober itself runs: its command line is its path alone."""
    while process.poll() is None:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                command = Path("/proc", pid, "cmdline").read_bytes()
            except OSError:
                continue
            if command.startswith(os.fsencode(directory)) and command.endswith(b"/prober\0"):
                return
    pytest.fail("conform ended before its prober began")


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_ends_it_and_all_it_started(signo: signal.Signals, own: Path, tmp_path: Path) -> None:
    own.write_text(HEAD + SLOW)
    ground = tmp_path / "ground"
    ground.mkdir()
    tmp_path.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "conform", str(own)], env={**os.environ, "TMPDIR": str(ground)}
    )
    try:
        wait_for_prober(ground, process)
        process.send_signal(signo)
        assert process.wait(HANG) == 128 + signo
        assert running(ground) == []
        assert list(ground.iterdir()) == []
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("form", ["text", "json", "junit"])
def test_rows_that_fail_fail_also_where_nobody_reads(form: str, own: Path) -> None:
    own.write_text(HEAD + "".join(WRONG.format(nth=nth) for nth in range(400)))
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "conform", "--format", form, str(own)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(HANG) == 1


CALL = table.NUMBERS


def test_a_lost_report_is_no_exit(own: Path) -> None:
    policy = str(own.with_name("own.toml"))
    getpid = Probe(CALL["getpid"])
    spoils = Probe(CALL["write"], (1, b"hello", 5))
    hides = Probe(CALL["dup2"], (0, 1))
    leaves = [Probe(CALL["exit_group"], (status,)) for status in (0, 1, 113, 114)]
    results = run_probes(policy, [getpid, spoils, getpid, hides, *leaves, getpid])
    assert [one.lost for one in results[:3]] == ["", LOST, ""]
    assert results[3].lost
    assert results[3].exited is None
    assert [one.exited for one in results[4:8]] == [0, 1, 113, 114]
    assert results[8].rax is not None


def test_natively_too() -> None:
    results = run_native([Probe(CALL["write"], (1, b"hello", 5)), Probe(CALL["exit_group"], (113,))])
    assert [(one.lost, one.exited) for one in results] == [(LOST, None), ("", 113)]


def test_what_looks_like_a_failure_of_the_prober(own: Path) -> None:
    said = Probe(CALL["write"], (2, b"FAIL: gotcha", 12))
    results = run_probes(str(own.with_name("own.toml")), [said, Probe(CALL["exit_group"], (1,))])
    assert (results[0].rax, results[1].exited, results[1].lost) == (12, 1, "")


@pytest.mark.parametrize("probe", [Probe(499, (0x5000_0000_0003,)), Probe(CALL["write"], (1, arena(), 0))])
def test_no_judged_call_is_taken_for_a_marker(probe: Probe, own: Path) -> None:
    results = run_probes(str(own.with_name("own.toml")), [probe] * 3, level="all")
    assert [one.record is not None and one.record.nr for one in results] == [probe.nr] * 3


RECORD = '[[row]]\nid = "quiet"\ncall = "getpid"\nexpect = "positive"\nrecord = "none"\n'


def test_records_that_nothing_can_mark(own: Path) -> None:
    deadly = POLICY.replace("ENOSYS", "kill").format(allowed=ALLOWED.replace(', "getpid"', ""))
    deadly = deadly.replace('"@basic-io"', '"read", "write"')
    own.with_name("own.toml").write_text(deadly + 'watch = ["getpid"]\n')
    own.write_text(HEAD + RECORD)
    done = conform(str(own))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert f"{own}:4: row quiet wants records" in done.stderr


RULE = '[[rule]]\nid = "mine"\ncall = "{call}"\n{rest}\n'


@pytest.mark.parametrize(
    ("call", "rest"),
    [
        ("write", 'when = { fd = 1, count = { ge = 101 } }\nverdict = "EAGAIN"'),
        ("write", "when = { count = { ge = 101 } }\nreturn = 1000000"),
        ("wait4", 'verdict = "kill"'),
    ],
)
def test_what_the_prober_needs_is_named(call: str, rest: str, own: Path) -> None:
    policy = own.with_name("own.toml")
    policy.write_text(policy.read_text() + RULE.format(call=call, rest=rest))
    done = conform(str(policy))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert f"the prober needs {call}" in done.stderr
    assert "rule mine" in done.stderr


def test_children_that_could_not_exit_are_not_made(own: Path) -> None:
    policy = own.with_name("own.toml")
    policy.write_text(policy.read_text() + RULE.format(call="exit", rest="return = 7"))
    done = conform(str(policy))
    assert done.returncode == 0, done.stdout
    assert "its child could not exit, for rule mine" in done.stdout


def test_limits_too_tight_for_the_prober(own: Path) -> None:
    policy = own.with_name("own.toml")
    policy.write_text(
        policy.read_text()
        + '[limits]\nwall = "1s"\noutput = 1000\nmemory = "8MiB"\nopen-files = 3\n[process]\nmax = 1\n'
    )
    done = conform(str(policy))
    assert done.returncode == 0, done.stdout
    assert "no probes are derived from [limits], max of [process]" in done.stdout


# ---- what the caller leaves to its children ----

KILLED = """[[row]]
id = "killed-{name}"
call = "kill"
args = ["result:0", {signo}]
before = [{{ call = "getpid" }}]
isolate = true
expect = {{ killed = "{name}" }}
"""
SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGPIPE)
DEAF = """\
import signal
for one in ({ignored}):
    signal.signal(one, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, ({blocked}))
"""


@pytest.mark.parametrize(
    ("ignored", "blocked"), [("2, 3, 10, 13", ""), ("17,", ""), ("", "2, 3, 10, 13, 17")]
)
def test_signals_are_as_rows_expect_whatever_the_caller_did(ignored: str, blocked: str, own: Path) -> None:
    rows = "".join(KILLED.format(name=one.name, signo=int(one)) for one in SIGNALS)
    own.write_text(HEAD.replace("own.toml", "observe") + rows)
    code = DEAF.format(ignored=ignored, blocked=blocked) + MAIN
    done = subprocess.run(
        [sys.executable, "-c", code, "conform", str(own)], capture_output=True, text=True, timeout=HANG
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_natively_too_signals_are_as_at_first(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGUSR1,))
    try:
        words = ["/bin/grep", "-E", "Sig(Ign|Blk)", "/proc/self/status"]
        ended = execute.natively(words, b"", HANG, str(tmp_path))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGQUIT, before)
    # 32 and 33 are the C library's own: it lets nobody change them (nptl(7)).
    own = 3 << 31
    assert [int(line.split()[1], 16) & ~own for line in ended.out.splitlines()] == [0, 0]


def test_fewer_descriptors_than_the_policy_promises(own: Path) -> None:
    own.write_text((HEAD + WRONG.format(nth=0)).replace("own.toml", "ostoo"))
    code = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)); {MAIN}"
    done = subprocess.run(
        [sys.executable, "-c", code, "conform", str(own)], capture_output=True, text=True, timeout=HANG
    )
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "it gives programs 64 descriptors, and the hard limit here is 40" in done.stderr


@pytest.mark.parametrize(
    ("call", "when"),
    [
        ("select", "{ nfds = { gt = 1024 } }"),
        ("futex", "{ uaddr = 0 }"),
        ("munmap", "{ addr = 0, length = { gt = 4096 } }"),
    ],
)
def test_probes_that_would_block_or_break_the_prober_are_not_made(call: str, when: str, own: Path) -> None:
    policy = own.with_name("own.toml")
    rule = RULE.format(call=call, rest=f'when = {when}\nverdict = "EINVAL"')
    policy.write_text(f'schema = 1\nname = "own"\nextends = "observe"\n{rule}')
    done = conform(str(policy))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert re.search(rf"probes of {call} not made: would", done.stdout)


def test_a_policy_that_may_write_where_temporary_files_are(own: Path, tmp_path: Path) -> None:
    policy = own.with_name("own.toml")
    policy.write_text(policy.read_text() + f'[files]\nwrite = ["{tmp_path}"]\nexec = ["{tmp_path}"]\n')
    tmp_path.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "conform", str(policy)],
        capture_output=True, text=True, timeout=HANG, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
@pytest.mark.parametrize(("expect", "status"), [("EPERM", 1), ("positive", 0), ("ENOTHING", 2)])
def test_closed_descriptors(closed: str, expect: str, status: int, own: Path) -> None:
    own.write_text(HEAD + WRONG.format(nth=0).replace("EPERM", expect))
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", MAIN, "conform", str(own)],
        capture_output=True, text=True, timeout=HANG,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stdout + done.stderr) == (status, False)
    assert ("1 of 1 rows" in done.stdout or "all 1 rows hold" in done.stdout) is (status < 2)

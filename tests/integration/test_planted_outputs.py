"""Names of logs, outcomes and exports that a hostile run left as links, FIFOs, directories and hard links."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import sandbox
from sandbox.errors import AuditError, UsageError
from sandbox.output_file import OutputFile
from tests.integration.conftest import HANG, command
from tests.integration.races import TRIES, exchanged

CTL = [sys.executable, "-P", "-c", "import sys; from sandbox.cli.ctl import main; sys.exit(main())"]
PRECIOUS = "precious\n"
PROFILE = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}


def socket_at(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


PLANTED: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "link": (lambda path, victim: path.symlink_to(victim), "is a symbolic link that a guest may have made"),
    "link to nothing": (lambda path, victim: path.symlink_to(f"{victim}-new"), "is a symbolic link"),
    "link on the way": (lambda path, victim: plant_directory(path, victim), "place is a symbolic link"),
    "FIFO": (lambda path, victim: os.mkfifo(path), "nobody reads this FIFO"),
    "directory": (lambda path, victim: path.mkdir(), "Is a directory"),
    "hard link": (lambda path, victim: path.hardlink_to(victim), "it is a hard link"),
    "socket": (lambda path, victim: socket_at(path), "neither a file nor a FIFO"),
}


def plant_directory(path: Path, victim: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.symlink_to("elsewhere")


def writers(place: Path) -> dict[str, list[str]]:
    """Every command that writes a file whose name a person gives, and its name for `run`."""
    profile = place.parent / "profile.json"
    profile.write_text(json.dumps(PROFILE))
    run = f"{place}/run"
    true = ("-p", "default", "--", "/bin/true")
    return {
        "--audit": command("--audit", run, *true),
        "--outcome": command("--outcome", run, *true),
        "--audit beside --outcome": command("--audit", f"{place.parent}/log", "--outcome", run, *true),
        "import-oci": [*CTL, "policy", "import-oci", str(profile), "-o", run],
        "export-oci": [*CTL, "policy", "export-oci", "compute", "-o", run],
    }


def ended(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=HANG, check=False)


@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize(
    "writer", ["--audit", "--outcome", "--audit beside --outcome", "import-oci", "export-oci"]
)
def test_what_is_planted_is_refused(writer: str, kind: str, tmp_path: Path) -> None:
    place, victim = tmp_path / "place", tmp_path / "victim"
    place.mkdir()
    victim.write_text(PRECIOUS)
    words = writers(place)[writer]
    plant, reason = PLANTED[kind]
    plant(place / "run", victim)
    names = sorted(tmp_path.rglob("*"))
    done = ended(words)
    assert done.returncode == (2 if "oci" in writer else 125), done
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    assert victim.read_text() == PRECIOUS
    assert sorted(tmp_path.rglob("*")) == names


@pytest.mark.parametrize("kind", PLANTED)
def test_python_refuses_what_is_planted(kind: str, tmp_path: Path) -> None:
    place, victim = tmp_path / "place", tmp_path / "victim"
    place.mkdir()
    victim.write_text(PRECIOUS)
    plant, reason = PLANTED[kind]
    plant(place / "run", victim)
    with pytest.raises(AuditError, match=reason):
        sandbox.run(["/bin/true"], audit=place / "run")
    assert victim.read_text() == PRECIOUS


def test_python_refuses_a_request_before_its_log_is_emptied(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(PRECIOUS)
    with pytest.raises(UsageError):
        sandbox.run(["/bin/true"], audit=log, user="no-such-user")
    with pytest.raises(UsageError, match="the guest may write there"):
        sandbox.run(["/bin/true"], audit=log, policy="workspace", cwd=tmp_path)
    assert log.read_text() == PRECIOUS


def test_a_guest_left_them(tmp_path: Path) -> None:
    """As it happens: a run under `workspace` plants the names, and the next run is given one of them."""
    victim, work = tmp_path / "victim", tmp_path / "work"
    victim.write_text(PRECIOUS)
    work.mkdir(mode=0o777)
    work.chmod(0o777)
    script = f"ln -s {victim} run.jsonl; mkfifo pipe; mkdir directory; ln -s . deeper"
    words = command("-p", "workspace", "--cwd", str(work), "--", "/bin/sh", "-c", script)
    assert ended(words).returncode == 0
    assert len(list(work.iterdir())) == 4
    for name in ("run.jsonl", "pipe", "directory", "deeper/log"):
        for option in ("--audit", "--outcome"):
            done = ended(command(option, f"{work}/{name}", "--", "/bin/true"))
            assert (done.returncode, done.stderr.count("\n")) == (125, 1), done
    assert victim.read_text() == PRECIOUS
    assert len(list(work.iterdir())) == 4


def test_an_open_file_where_the_guest_may_write_is_refused(tmp_path: Path) -> None:
    """Its name, /dev/fd/N, does not say where it is."""
    work = tmp_path / "work"
    work.mkdir()
    fd = os.open(work / "log", os.O_WRONLY | os.O_CREAT)
    words = command("-p", "workspace", "--cwd", str(work), "--audit", f"/dev/fd/{fd}", "--", "/bin/true")
    done = subprocess.run(words, capture_output=True, text=True, timeout=HANG, check=False, pass_fds=[fd])
    os.close(fd)
    assert done.returncode == 125
    assert "the guest may write there" in done.stderr


def test_a_dry_run_makes_and_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "old").write_text(PRECIOUS)
    os.mkfifo(tmp_path / "fifo")
    for name in ("old", "new", "fifo"):
        words = (
            "--dry-run",
            "--audit",
            f"{tmp_path}/{name}",
            "--outcome",
            f"{tmp_path}/other",
            "--",
            "/bin/true",
        )
        assert ended(command(*words)).returncode == 0
    assert (tmp_path / "old").read_text() == PRECIOUS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "old"]


def test_an_outcome_is_not_left_behind_by_a_log_that_cannot_be_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "old").write_text(PRECIOUS)
    for name in ("old", "new"):
        done = ended(
            command("--audit", f"{tmp_path}/fifo", "--outcome", f"{tmp_path}/{name}", "--", "/bin/true")
        )
        assert done.returncode == 125
        assert "nobody reads this FIFO" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "old"]
    assert (tmp_path / "old").read_text() == PRECIOUS


def test_streams_are_written_as_ever(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    words = command(
        "-p", "default", "--audit", f"/dev/fd/{writer}", "--outcome", "/dev/stderr", "--", "/bin/true"
    )
    done = subprocess.run(words, capture_output=True, text=True, timeout=HANG, check=False, pass_fds=[writer])
    os.close(writer)
    with os.fdopen(reader) as stream:
        events = [json.loads(line)["event"] for line in stream]
    assert (events[0], events[-1]) == ("start", "end")
    assert json.loads(done.stderr)["status"] == "ok"


def test_an_outcome_on_standard_output_comes_after_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "all"
    path.write_text("before\n")
    with path.open("a") as stream:
        words = command("-p", "default", "--outcome", "/dev/stdout", "--", "/bin/echo", "guest")
        assert subprocess.run(words, stdout=stream, timeout=HANG, check=False).returncode == 0
    first, second, outcome = path.read_text().splitlines()
    assert (first, second, json.loads(outcome)["status"]) == ("before", "guest", "ok")


def test_readers_do_not_wait_for_what_is_planted(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.toml")
    (tmp_path / "directory.toml").mkdir()
    for name in ("fifo.toml", "directory.toml"):
        path = f"{tmp_path}/{name}"
        for words in (
            ("audit", "show", path), ("audit", "summary", path), ("audit", "verify", path),
            ("policy", "show", path), ("policy", "import-oci", path), ("conform", path),
        ):  # fmt: skip
            done = ended([*CTL, *words])
            assert (done.returncode, done.stderr.count("\n")) == (2, 1), done


@pytest.mark.race
@pytest.mark.parametrize("kind", ["link", "hard link", "link on the way", "FIFO"])
def test_names_that_are_exchanged_all_the_time(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is met, the victim stays as it is: a file is opened that is the person's own, or none."""
    monkeypatch.setattr("sandbox.output_file._PATIENCE_S", 0)
    place, victims, other = tmp_path / "place", tmp_path / "victims", tmp_path / "other"
    place.mkdir()
    victims.mkdir()
    (victims / "log").write_text(PRECIOUS)
    (place / "log").write_text("")
    plant, _ = PLANTED[kind] if kind != "link on the way" else PLANTED["link"]
    plant(other, victims if kind == "link on the way" else victims / "log")
    pair = (place, other) if kind == "link on the way" else (place / "log", other)
    with exchanged(pair):
        for _ in range(TRIES * 20):
            file = None
            try:
                file = OutputFile(f"{place}/log")
                file.open()
                file.commit()
                os.write(file.fd, b"log")
            except OSError:
                continue
            finally:
                if file is not None:
                    file.discard()
            assert (victims / "log").read_text() == PRECIOUS
    assert (victims / "log").read_text() == PRECIOUS
    assert [path.name for path in victims.iterdir()] == ["log"]

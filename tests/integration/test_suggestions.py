"""What the log and the hint suggest, typed as it is: the call that was refused is allowed then."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import command


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory outside of what any policy gives, in which only the sandbox stands in a guest's way."""
    top = tmp_path / "it's a place"
    for directory in (top, top / "empty", top / "other"):
        directory.mkdir()
        directory.chmod(0o777)
    for name in ("file", "program", "s p"):
        (top / name).write_text("#!/bin/sh\nexit 7\n")
        (top / name).chmod(0o777)
    (top / "dangling").symlink_to("other/new")
    return top


CALLS = [
    ("openat", "open('new', 'w')", "--write {0}"),
    ("openat", "open('dangling', 'w')", "--write {0}/other"),
    ("openat", "open('file', 'r+')", "--write {0}/file"),
    ("openat", "open('s p')", "--read {0}/s p"),
    ("openat", "os.listdir('.')", "--read {0}"),
    ("truncate", "os.truncate('file', 0)", "--write {0}/file"),
    ("mkdir", "os.mkdir('new')", "--write {0}"),
    ("symlink", "os.symlink('x', 'new')", "--write {0}"),
    ("unlink", "os.unlink('file')", "--write {0}"),
    ("unlink", "os.unlink('dangling')", "--write {0}"),
    ("rmdir", "os.rmdir('empty')", "--write {0}"),
    ("rename", "os.rename('file', 'new')", "--write {0}"),
    ("rename", "os.rename('empty/../file', 'other/new')", "--write {0} --write {0}/other"),
    ("link*", "os.link('file', 'new')", "--write {0}"),
    ("link*", "os.link('file', 'other/new')", "--write {0} --write {0}/other"),
    ("execve", "os.execv('program', ['program'])", "--exec {0}/program"),
]


@pytest.mark.parametrize(("call", "code", "allow"), CALLS, ids=lambda text: text.partition("(")[0])
@pytest.mark.parametrize("policy", ["default", "workspace"])
def test_a_suggestion_works(
    call: str, code: str, allow: str, policy: str, place: Path, python: str, run: Any
) -> None:
    script = f"import os; os.chdir({str(place)!r}); {code}"
    refused = run(python, "-c", script, policy=policy)
    assert "Permission denied" in refused.err
    record = [one for one in refused.events("call") if one["verdict"] == "refuse" and "path" in one][-1]
    assert record["call"].startswith(call.rstrip("*"))
    words = shlex.split(record["allow"])
    assert words == [
        word for one in allow.format(place).split(" --") for word in (f"--{one.lstrip('-')}").split(" ", 1)
    ]
    assert f"allow it with {record['allow']}\n" in refused.err
    allowed = run(python, "-c", script, policy=policy, options=tuple(words))
    assert (allowed.status, allowed.err) == (7 if call == "execve" else 0, "")


def test_what_lies_beneath_a_place_to_execute_is_not_listed(place: Path, python: str, run: Any) -> None:
    """Landlock lets it be read, not listed: the listing is named."""
    script = f"import os; open({str(place / 'file')!r}).read(); os.listdir({str(place)!r})"
    refused = run(python, "-c", script, policy="default", options=("--exec", str(place)))
    record = [one for one in refused.events("call") if one["verdict"] == "refuse"][-1]
    assert (record["path"], record["rule"]) == (str(place), "files.read")
    words = ("--exec", str(place), *shlex.split(record["allow"]))
    assert run(python, "-c", script, policy="default", options=words).status == 0


def test_a_file_may_not_gain_to_be_executed(place: Path, python: str, run: Any) -> None:
    """Landlock answers EXDEV where a file would gain a right by its new place (landlock(7))."""
    script = f"import os; os.chdir({str(place)!r}); os.rename('file', 'other/new')"
    given = ("--write", str(place), "--exec", str(place / "other"))
    refused = run(python, "-c", script, policy="default", options=given)
    record = [one for one in refused.events("call") if one["verdict"] == "refuse"][-1]
    assert (record["errno"], record["rule"]) == ("EXDEV", "files.exec")
    words = shlex.split(record["allow"])
    assert words == ["--exec", str(place)]
    assert run(python, "-c", script, policy="default", options=(*given, *words)).status == 0


def test_no_option_gives_what_is_gone_by_the_next_run(python: str, run: Any) -> None:
    script = (
        "import os; p = os.environ['TMPDIR'] + '/x'; open(p, 'w').write('#!/bin/sh'); os.execv(p, [p])"
    )  # fmt: skip
    ran = run(python, "-c", script, policy="default")
    record = [one for one in ran.events("call") if one["verdict"] == "refuse"][-1]
    assert (record["rule"], "allow" in record) == ("files.exec", False)
    assert "allow it" not in ran.err


@pytest.mark.parametrize("code", ["os.chmod({!r}, 0o600)", "os.utime({!r})"])
def test_modes_and_times(code: str, place: Path, python: str, run: Any) -> None:
    """What the supervisor changes for a guest, it names in the same way; a hint needs no log."""
    path = place / "file"
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    script = f"import os; {code.format(str(path))}"
    refused = run(python, "-c", script, policy="workspace")
    record = [one for one in refused.events("call") if one["verdict"] == "refuse"][-1]
    assert (record["path"], record["errno"]) == (str(path), "EACCES")
    words = shlex.split(record["allow"])
    assert words == ["--write", str(path)]
    unlogged = command("-p", "workspace", "--", python, "-c", script)
    for err in (refused.err, subprocess.run(unlogged, capture_output=True, text=True, check=False).stderr):
        assert f"allow it with {record['allow']}\n" in err
    allowed = run(python, "-c", script, policy="workspace", options=tuple(words))
    assert (allowed.status, allowed.err) == (0, "")

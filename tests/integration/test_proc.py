"""A /proc that does not show the supervisor and its guests by their ids: refused in one line, by everything.

What unshare(1) may not do here is skipped by name.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.integration.conftest import HANG, command
from tests.reach import need_python_for

MAPPED = ("unshare", "-U", "--map-current-user", "--keep-caps")
ANOTHER = "/proc is another PID namespace's: mount this one's (as unshare -pf --mount-proc does)"
NONE = "/proc is not mounted: mount -t proc proc /proc"
IN_PID_NAMESPACE = ("unshare", "-pf", "--kill-child")


def changed(script: str) -> tuple[str, ...]:
    """Runs what follows after a script has changed what is mounted."""
    return "unshare", "-m", "sh", "-c", f'{script} && exec "$@"', "sh"


# The path by which it would find itself is there, too.
FAKE = changed(
    "d=$(mktemp -d) && ln -s $$ $d/self && mkdir $d/$$"
    " && printf 'Name:\\tx\\nNSpid:\\t%s\\n' $$ >$d/$$/status"
    " && mount -t tmpfs none /proc && cp -a $d/. /proc && rm -r $d"
)
WRONG = {
    "outer": (IN_PID_NAMESPACE, ANOTHER),
    "inner": (changed("unshare -pf mount -t proc proc /proc"), ANOTHER),
    "none": (changed("mount -t tmpfs none /proc"), NONE),
    "fake": (FAKE, NONE),
}
RIGHT = {
    "own": ("unshare", "-pf", "--mount-proc"),
    "hidepid": changed("mount -t proc -o hidepid=2 proc /proc"),
    "subset": changed("mount -t proc -o subset=pid proc /proc"),
}
USERS = [pytest.param(True, id="root"), pytest.param(False, id="user")]


def outer(inside: tuple[str, ...], root: bool) -> tuple[str, ...]:
    """What leads into the place, for an ordinary user through a user namespace. Skips where it may not be."""
    if root and os.geteuid() != 0:
        pytest.skip("only root makes namespaces without a user namespace")
    words = inside if root else (*MAPPED, *inside)
    if os.geteuid() == 0 and not root:
        need_python_for(12345)
        words = ("setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", *words)
    tried = subprocess.run([*words, "true"], capture_output=True, text=True, timeout=HANG, check=False)
    if tried.returncode:
        pytest.skip(f"{' '.join(words[:6])} is not permitted here: {tried.stderr.strip()}")
    return words


def done(words: list[str]) -> tuple[int, str, str]:
    ran = subprocess.run(words, capture_output=True, text=True, timeout=HANG, check=False, cwd="/")
    return ran.returncode, ran.stdout, ran.stderr


@pytest.mark.parametrize("root", USERS)
@pytest.mark.parametrize("which", WRONG)
def test_a_run_is_refused(which: str, root: bool) -> None:
    inside, message = WRONG[which]
    for options in ((), ("--dry-run",)):
        status, out, err = done([*outer(inside, root), *command(*options, "--", "/bin/echo", "in")])
        assert (status, err) == (125, f"run-untrusted-binary: {message}\n")
        assert "in\n" not in out


@pytest.mark.parametrize("root", USERS)
@pytest.mark.parametrize("which", RIGHT)
def test_a_run_works(which: str, root: bool) -> None:
    words = outer(RIGHT[which], root)
    assert done([*words, *command("-p", "workspace", "--", "/bin/echo", "in")]) == (0, "in\n", "")


@pytest.mark.parametrize("root", USERS)
@pytest.mark.parametrize("which", WRONG)
def test_doctor_knows(which: str, root: bool) -> None:
    inside, message = WRONG[which]
    code = "import sys; from sandbox.cli.ctl import main; sys.exit(main(sys.argv[1:]))"
    ctl = [sys.executable, "-P", "-c", code, "doctor", "--format", "json"]
    status, out, _ = done([*outer(inside, root), *ctl])
    found = {one["name"]: one for one in json.loads(out)["features"]}["/proc"]
    assert (status, found["level"]) == (1, "none")
    assert f"/proc is {found['found']}: {found['remedies'][0]}" == message


@pytest.mark.parametrize("root", USERS)
def test_the_python_api_has_an_outcome(root: bool) -> None:
    code = "import sandbox; done = sandbox.run(['/bin/echo']); print(done.status, done.reason, sep='|')"
    words = [*outer(IN_PID_NAMESPACE, root), sys.executable, "-P", "-c", code]
    assert done(words) == (0, f"setup-error|{ANOTHER}\n", "")

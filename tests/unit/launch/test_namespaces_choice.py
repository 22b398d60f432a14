"""Who gets which namespaces, and which failures let a run go on without."""

from __future__ import annotations

import errno

import pytest

from sandbox._kernel import calls
from sandbox.errors import SetupError
from sandbox.launch import namespaces
from sandbox.launch import program as launch
from sandbox.launch.namespaces import NETWORK_AND_IPC, USER, Isolation
from sandbox.policy.model import Network

DIED = "the child died before its execve"
UNSHARE, MAPS = "unshare", "user namespace maps"
EVENT = calls.RawEvent(calls.STATUS, 42)


@pytest.mark.parametrize(
    ("network", "wanted"),
    [(None, False), (Network(), True), (Network(families=("AF_INET",)), False)],
    ids=["unconfined", "none", "internet"],
)
def test_a_policy_without_network_wants_an_empty_one(network: Network | None, wanted: bool) -> None:
    assert namespaces.wanted(network) is wanted


@pytest.mark.parametrize(
    ("uid", "privileged", "isolation"),
    [
        (0, True, Isolation(NETWORK_AND_IPC)),
        (1000, True, Isolation(NETWORK_AND_IPC)),
        (0, False, Isolation(lacks="root has no CAP_SYS_ADMIN here")),
        (1000, False, Isolation(USER | NETWORK_AND_IPC, (b"1000 1000 1", b"100 100 1"))),
    ],
)
def test_an_ordinary_user_makes_a_user_namespace(uid: int, privileged: bool, isolation: Isolation) -> None:
    assert namespaces.choose(uid, 100, privileged=privileged) == isolation


REFUSALS = [
    (UNSHARE, errno.EPERM, 0, "unshare: Operation not permitted"),
    (UNSHARE, errno.ENOSPC, 0, "unshare: No space left on device"),
    (UNSHARE, errno.ENOSYS, 0, "unshare: Function not implemented"),
    (MAPS, errno.EPERM, 0, "user namespace maps: Operation not permitted"),
    (MAPS, errno.EACCES, 0, "user namespace maps: Permission denied"),
    (MAPS, errno.ENOENT, 0, "user namespace maps: No such file or directory"),
    (DIED, errno.ECHILD, 31, "unshare: a filter kills who calls it"),
    (DIED, errno.ECHILD, 31 | 0x80, "unshare: a filter kills who calls it"),
]
FAILURES = [
    (MAPS, errno.EINVAL, 0),
    (MAPS, errno.EIO, 0),
    (DIED, errno.ECHILD, 9),
    (DIED, errno.ECHILD, 31 << 8),
    ("chdir", errno.EPERM, 0),
    ("execve", errno.EACCES, 0),
]


class Kernel:
    """Stands in for `calls.launch`: fails a launch that makes a user namespace, and each one after it where
    that is asked for."""

    def __init__(self, step: str, error: int, status: int, *, always: bool = False) -> None:
        self.failure = calls.LaunchError(step, error, status)
        self.always = always
        self.seen: list[calls.Spec] = []

    def launch(self, spec: calls.Spec) -> calls.RawEvent:
        self.seen.append(spec)
        if self.always or spec.isolate & USER:
            raise self.failure
        return EVENT


SPEC = calls.Spec(b"/program", (b"program",), (), b"", limits=((4, 0, 0),))
ISOLATED = SPEC._replace(isolate=USER | NETWORK_AND_IPC, maps=(b"1 1 1", b"2 2 1"))


@pytest.mark.parametrize(("step", "error", "status", "lacks"), REFUSALS)
def test_a_refusal_starts_the_guest_without(
    step: str, error: int, status: int, lacks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(step, error, status)
    monkeypatch.setattr(calls, "launch", kernel.launch)
    assert launch.start(ISOLATED) == launch.Started(EVENT, lacks)
    assert kernel.seen == [ISOLATED, SPEC]


@pytest.mark.parametrize(("step", "error", "status"), FAILURES)
def test_any_other_failure_starts_nothing(
    step: str, error: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(step, error, status)
    monkeypatch.setattr(calls, "launch", kernel.launch)
    with pytest.raises(SetupError):
        launch.start(ISOLATED)
    assert kernel.seen == [ISOLATED]


@pytest.mark.parametrize("isolate", [0, NETWORK_AND_IPC])
@pytest.mark.parametrize(("step", "error", "status", "lacks"), REFUSALS)
def test_without_a_user_namespace_every_failure_counts(
    isolate: int, step: str, error: int, status: int, lacks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(step, error, status, always=True)
    monkeypatch.setattr(calls, "launch", kernel.launch)
    with pytest.raises(SetupError):
        launch.start(SPEC._replace(isolate=isolate))
    assert len(kernel.seen) == 1


def test_what_fails_a_second_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(DIED, errno.ECHILD, 31, always=True)
    monkeypatch.setattr(calls, "launch", kernel.launch)
    with pytest.raises(SetupError, match="died of signal 31"):
        launch.start(ISOLATED)
    assert len(kernel.seen) == 2

"""Which SIGXFSZ tells of the run's limit: sent as the kernel does, by a call that makes files larger."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.supervisor import file_size
from sandbox.syscalls import table

SI_USER, SI_TIMER, SI_TKILL, CLD_EXITED, SI_KERNEL = 0, -2, -6, 1, 0x80
LIMIT = 4096


def stopped_at(call: str) -> Any:
    registers = SimpleNamespace(orig_rax=table.NUMBERS[call])
    return SimpleNamespace(tid=8, task=SimpleNamespace(tgid=7), registers=lambda: registers)


@pytest.fixture(autouse=True)
def _limit_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_size, "own_limit", lambda pid: LIMIT)


@pytest.mark.parametrize("call", ["write", "pwritev2", "truncate", "fallocate", "sendfile", "ioctl"])
def test_the_end_of_a_call_that_makes_files_larger(call: str) -> None:
    assert file_size.is_reached(stopped_at(call), 7, SI_USER, LIMIT)


@pytest.mark.parametrize("call", ["kill", "tkill", "rt_sigprocmask", "rt_sigreturn", "wait4", "read"])
def test_the_end_of_another_call(call: str) -> None:
    assert not file_size.is_reached(stopped_at(call), 7, SI_USER, LIMIT)


@pytest.mark.parametrize(
    ("sender", "code"),
    [(7, SI_TIMER), (7, SI_TKILL), (8, SI_USER), (None, CLD_EXITED), (None, SI_KERNEL)],
)
def test_a_signal_the_kernel_does_not_send_so(sender: int | None, code: int) -> None:
    assert not file_size.is_reached(stopped_at("write"), sender, code, LIMIT)


def test_a_limit_of_the_guests_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_size, "own_limit", lambda pid: LIMIT - 1)
    assert not file_size.is_reached(stopped_at("write"), 7, SI_USER, LIMIT)

"""Action values: their names, and which decisions the kernel may carry out alone."""

from __future__ import annotations

import pytest

from sandbox.outcome import Allow, Emulate, Kill, Refuse, Return, Rewrite, Write
from sandbox.policy.model import RewriteSpec
from sandbox.seccomp.actions import RET_ALLOW, RET_ERRNO, RET_TRACE, describe
from sandbox.seccomp.table import action_for


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (0x7FFF0000, "ALLOW"),
        (0x7FF00000, "TRACE"),
        (0x7FF00005, "TRACE(5)"),
        (0x80000000, "KILL_PROCESS"),
        (0x00000000, "KILL_THREAD"),
        (0x00030000, "TRAP"),
        (0x7FC00000, "USER_NOTIF"),
        (0x7FFC0000, "LOG"),
        (0x00050026, "ERRNO(ENOSYS)"),
        (0x00050016, "ERRNO(EINVAL)"),
        (0x00050000, "ERRNO(0)"),
        (0x00050FFF, "ERRNO(4095)"),
        (0x12340000, "UNKNOWN(0x12340000)"),
    ],
)
def test_describe(action: int, text: str) -> None:
    assert describe(action) == text


@pytest.mark.parametrize(
    ("decision", "plain", "supervised"),
    [
        (Allow("r"), RET_ALLOW, RET_TRACE),
        (Allow("r", watch=True), RET_TRACE, RET_TRACE),
        (Emulate("fstat", "r"), RET_TRACE, RET_TRACE),
        (Rewrite(((0, 1),), "r"), RET_TRACE, RET_TRACE),
        (RewriteSpec(((0, 0, 1),), "r"), RET_TRACE, RET_TRACE),
        (Kill("r"), RET_TRACE, RET_TRACE),
        (Refuse(38, "r"), RET_TRACE, RET_TRACE),
        (Refuse(38, "r", recorded=False), RET_ERRNO | 38, RET_ERRNO | 38),
        (Refuse(0, "r", recorded=False), RET_ERRNO, RET_ERRNO),
        (Refuse(4095, "r", recorded=False), RET_ERRNO | 4095, RET_ERRNO | 4095),
        (Refuse(4096, "r", recorded=False), RET_TRACE, RET_TRACE),
        (Refuse(-1, "r", recorded=False), RET_TRACE, RET_TRACE),
        (Return(0, "r"), RET_TRACE, RET_TRACE),
        (Return(0, "r", recorded=False), RET_ERRNO, RET_ERRNO),
        (Return(-1, "r", recorded=False), RET_ERRNO | 1, RET_ERRNO | 1),
        (Return(-4095, "r", recorded=False), RET_ERRNO | 4095, RET_ERRNO | 4095),
        (Return(-4096, "r", recorded=False), RET_TRACE, RET_TRACE),
        (Return(1, "r", recorded=False), RET_TRACE, RET_TRACE),
        (Return(0, "r", (Write(8, b"x"),), recorded=False), RET_TRACE, RET_TRACE),
        (object(), RET_TRACE, RET_TRACE),
    ],
)
def test_action_for(decision: object, plain: int, supervised: int) -> None:
    assert action_for(decision) == plain
    assert action_for(decision, supervised=True) == supervised
    assert action_for(decision, record_all=True) == RET_TRACE

"""Kernel limits of a guest: what the policy says, never above what we may set."""

from __future__ import annotations

import resource

import pytest

from sandbox.launch.program import core_limit, limits
from sandbox.policy.load import load
from sandbox.policy.model import Limits, Policy

CORE, FSIZE, NOFILE = resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE
POLICY = load("observe")


@pytest.fixture(params=[resource.RLIM_INFINITY, 0, 1, 4096])
def hard(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Our own hard limits, all alike."""
    value: int = request.param
    monkeypatch.setattr(resource, "getrlimit", lambda which: (0, value))
    return value


def limited(**wanted: int) -> Policy:
    return POLICY._replace(limits=Limits(**wanted))


def test_core_dumps_are_off_by_a_limit_of_1(hard: int) -> None:
    value = 0 if hard == 0 else 1
    assert limits(limited()) == ((CORE, value, value),)
    assert core_limit() == value


def test_the_policys_limits_are_capped(hard: int) -> None:
    def capped(value: int) -> int:
        return value if hard == resource.RLIM_INFINITY else min(value, hard)

    found = limits(limited(file_size=5000, open_files=8))
    assert found[1:] == ((FSIZE, capped(5000), capped(5000)), (NOFILE, capped(8), capped(8)))

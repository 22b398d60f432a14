"""The shipped policies on this kernel, tried by probes derived from their own rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.conformance import derive, generated
from sandbox.errors import UsageError

POLICIES = ("default", "ostoo", "compute", "workspace", "observe")


@pytest.mark.parametrize("policy", POLICIES)
def test_a_shipped_policy_does_what_it_says(policy: str) -> None:
    conformance = generated.conform(policy)
    assert [f"{one.derived.id}: {one.problem}" for one in conformance.problems] == []
    assert len(conformance.checked) > derive.LAST_NUMBER
    assert not conformance.notes


@pytest.mark.parametrize("policy", ["default", "ostoo"])
def test_it_does_so_where_the_kernel_holds_the_parent(policy: str) -> None:
    conformance = generated.conform(policy, vfork="kernel")
    assert [f"{one.derived.id}: {one.problem}" for one in conformance.problems] == []


AUTHORS = """
schema = 1
name = "authors"
unlisted = "ENOSYS"
[calls]
allow = ["@basic-io", "@memory", "exit", "exit_group", "clone", "wait4"]
[[rule]]
id = "no-long-names"
call = "getcwd"
when = { size = { gt = 4096 } }
verdict = "ENAMETOOLONG"
[[rule]]
id = "answered-quietly"
call = "getpriority"
when = { who = { ge = -5, lt = 5 } }
return = 0
quiet = true
[[rule]]
id = "deadly"
call = "umask"
when = { mask = { mask = 0o7000, ne = 0 } }
verdict = "kill"
"""


def test_an_authors_own_policy(tmp_path: Path) -> None:
    path = tmp_path / "authors.toml"
    path.write_text(AUTHORS)
    conformance = generated.conform(str(path))
    assert [f"{one.derived.id}: {one.problem}" for one in conformance.problems] == []
    ran = {one.derived.verdict.rule for one in conformance.checked}
    assert {"no-long-names", "answered-quietly", "deadly"} <= ran


@pytest.mark.parametrize("needed", ["read", "write", "exit_group"])
def test_a_policy_without_what_the_prober_needs_cannot_be_probed(needed: str, tmp_path: Path) -> None:
    allowed = [name for name in ("read", "write", "exit_group") if name != needed]
    path = tmp_path / "mute.toml"
    path.write_text(f'schema = 1\nname = "mute"\nunlisted = "ENOSYS"\n[calls]\nallow = {allowed}\n')
    with pytest.raises(UsageError, match=f"cannot probe mute: the prober needs {needed}.* rule unlisted"):
        generated.conform(str(path))

"""How a program that counts lines behaves under three policies."""

import pytest


def test_it_counts(sandboxed):
    run = sandboxed(["wc", "-l"], input="one\ntwo\n")
    assert run.outcome.status == "ok"
    assert run.out == "2\n"


def test_secrets_are_out_of_reach(sandboxed):
    run = sandboxed(["wc", "-l", "/etc/shadow"])
    assert run.outcome.status == "exited"
    assert "Permission denied" in run.err


@pytest.mark.policy("compute")
def test_it_makes_no_files(sandboxed):
    run = sandboxed(["touch", "left-behind"])
    assert run.outcome.exit_code == 1
    assert ("openat", "open-for-reading") in [(call.call, call.rule) for call in run.refused]


@pytest.mark.policy("nameless.toml")
class TestNameless:
    """A policy of our own; its file lies beside this one."""

    def test_it_counts_all_the_same(self, sandboxed):
        assert sandboxed(["wc", "-c"], input=b"12345").out == "5\n"

    def test_the_machine_has_no_name(self, sandboxed):
        run = sandboxed(["uname", "-n"], timeout=5)
        assert run.outcome.exit_code == 1
        assert run.calls("uname", "refuse")[0].rule == "host-name"

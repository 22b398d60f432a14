"""All checks, in the order of the report."""

from __future__ import annotations

from sandbox.doctor import needed, useful
from sandbox.doctor.facts import Facts
from sandbox.doctor.feature import Feature


def examine(facts: Facts) -> tuple[Feature, ...]:
    """A feature for every check. Pure; never raises, whatever the facts are."""
    return tuple(check(facts) for check in (*needed.CHECKS, *useful.CHECKS))

"""What calls get in the end: what a policy decides, and what built-in rules refuse of what it allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sandbox import rules
from sandbox.outcome import Allow, Decision
from sandbox.policy.model import Policy, RewriteSpec, Rule
from sandbox.policytools.boxes import Box, Budget, decided

Action = Decision | RewriteSpec


def outcomes(
    policy: Policy, nr: int, chain: Sequence[Rule], box: Box, budget: Budget
) -> Iterator[tuple[Box, Action]]:
    """Every part of a box of calls with what it gets, as far as registers say; no part is empty.

    `chain` are the policy's rules for call `nr`, or others that say the same.
    """
    otherwise = policy.calls.get(nr, policy.unlisted)
    refusals = rules.refusals(policy, nr)
    for part, rule in decided(box, chain, budget):
        action: Action = rule.action if rule else otherwise
        for piece, refusal in decided(part, refusals if isinstance(action, Allow) else (), budget):
            yield piece, refusal.action if refusal else action

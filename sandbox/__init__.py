"""Run Linux binaries you do not trust: a readable policy, a supervisor, and a log of what they tried.

The names below are loaded when first used, so that the pure rooms never load the compiled core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Outcome", "Policy", "PolicyError", "SandboxError", "__version__", "audit", "load_policy", "run"]

if TYPE_CHECKING:
    from sandbox import audit as audit
    from sandbox.client import run as run
    from sandbox.errors import PolicyError as PolicyError
    from sandbox.errors import SandboxError as SandboxError
    from sandbox.outcome import Outcome as Outcome
    from sandbox.policy.load import load as load_policy
    from sandbox.policy.model import Policy as Policy

_HOME = {
    "run": ("sandbox.client", "run"),
    "Outcome": ("sandbox.outcome", "Outcome"),
    "Policy": ("sandbox.policy.model", "Policy"),
    "load_policy": ("sandbox.policy.load", "load"),
    "PolicyError": ("sandbox.errors", "PolicyError"),
    "SandboxError": ("sandbox.errors", "SandboxError"),
    "audit": ("sandbox.audit", ""),
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sandbox' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOME[name]
    loaded = import_module(module)
    return getattr(loaded, attribute) if attribute else loaded

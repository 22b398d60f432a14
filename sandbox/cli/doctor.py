"""Say what this kernel and this user can enforce, by trying it, and how to mend what is missing.

Per feature: full, partial or none, what it is for, what is lost without it, and the remedy. The exit status
is 0 where everything that a run needs is there, and 1 where something is not.

Example:
  sandboxctl doctor --format json
"""

from __future__ import annotations

import argparse
import json

from sandbox.cli.policy_argument import add_format
from sandbox.doctor.examine import examine
from sandbox.doctor.facts import Facts, gather
from sandbox.doctor.feature import Feature, as_dict, is_ready, render
from sandbox.errors import SetupError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """0 if a run has all that it needs, 1 if not. Raises SetupError where nothing can be tried at all."""
    try:
        facts = gather()
    except OSError as error:
        raise SetupError(f"cannot try anything: {error.strerror}") from None
    features = examine(facts)
    if options.format == "json":
        print(json.dumps(_document(facts, features), indent=1))
    else:
        print("\n".join(render(features)))
    return 0 if is_ready(features) else 1


def _document(facts: Facts, features: tuple[Feature, ...]) -> dict[str, object]:
    return {
        "kernel": facts.release,
        "machine": facts.machine,
        "user": facts.uid,
        "ready": is_ready(features),
        "features": [as_dict(one) for one in features],
    }

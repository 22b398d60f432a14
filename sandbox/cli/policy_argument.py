"""The arguments that commands on policies share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import Any


def add_policy(parser: argparse.ArgumentParser, name: str = "policy", **more: Any) -> None:
    """Add the argument that names a policy."""
    parser.add_argument(name, metavar="NAME|FILE", help="a shipped policy's name, or a policy file", **more)


def add_format(parser: argparse.ArgumentParser, *more: str) -> None:
    """Add --format with text and json."""
    parser.add_argument(
        "--format", choices=("text", "json", *more), default="text", help="(default: %(default)s)"
    )


def tell(form: str, lines: Iterable[str], values: Any) -> None:
    """Print lines, or the same as one JSON value where that was asked for."""
    if form == "json":
        print(json.dumps(values, indent=2))
        return
    for line in lines:
        print(line)

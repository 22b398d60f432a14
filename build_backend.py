"""setuptools, with one more build requirement for wheels: the compiler of the attack programs.

An editable install runs from the checkout, where `make guests` builds them, so it needs no such download.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]


def get_requires_for_build_wheel(
    config_settings: dict[str, str | list[str] | None] | None = None,
) -> list[str]:
    """What PEP 517 asks for: requirements beyond those of `[build-system]`."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    guests: list[str] = project["optional-dependencies"]["guests"]
    return [*build_meta.get_requires_for_build_wheel(config_settings), *guests]

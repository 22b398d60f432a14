"""Only what pyproject.toml cannot say: the cffi extension, and the programs that a wheel carries."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

BUILD = Path(__file__).resolve().parent / "guests" / "build.py"


class BuildWithPrograms(build_py):
    """Puts the built prober and attack programs beside the modules, so that an installed package has them."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            self._programs(Path(self.build_lib) / "sandbox")

    def _programs(self, package: Path) -> None:
        names = ["prober", "attacks"]
        if find_spec("ziglang") is None:
            self.warn("ziglang is not installed: the attack programs are left out")
            names.remove("attacks")
        if subprocess.call([sys.executable, str(BUILD), "--package", str(package), *names]) != 0:
            sys.exit("the programs of the package cannot be built")


setup(
    cffi_modules=["sandbox/_kernel/build.py:ffibuilder"],
    cmdclass={"build_py": BuildWithPrograms},
)

"""Only what pyproject.toml cannot say: the cffi extension, the launchers of the two programs, and the
programs that a wheel carries."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from setuptools import Command, setup
from setuptools.command.build_py import build_py
from setuptools.command.install_scripts import install_scripts

HERE = Path(__file__).resolve().parent
BUILD = HERE / "guests" / "build.py"
LAUNCHER = HERE / "launcher" / "launcher.c"
START = HERE / "launcher" / "start.py"
STARTED = "ostoo-sandbox-start"
PROGRAMS = {"run-untrusted-binary": 125, "sandboxctl": 2}
"""The programs, and their exit statuses where they cannot be started."""


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


class BuildLaunchers(Command):
    """The two programs, compiled, and beside them what they start."""

    user_options = [("build-dir=", "d", "where to put them")]
    editable_mode = False

    def initialize_options(self) -> None:
        self.build_dir: str | None = None

    def finalize_options(self) -> None:
        self.set_undefined_options("build", ("build_scripts", "build_dir"))

    def get_source_files(self) -> list[str]:
        return [str(path.relative_to(HERE)) for path in (LAUNCHER, START)]

    def get_outputs(self) -> list[str]:
        return [str(Path(self.build_dir or ".") / name) for name in (*PROGRAMS, STARTED)]

    def run(self) -> None:
        place = Path(self.build_dir or ".")
        place.mkdir(parents=True, exist_ok=True)
        for program, failed in PROGRAMS.items():
            if subprocess.call(_compiled(program, failed, place)) != 0:
                sys.exit(f"{program} cannot be built: a C compiler is needed")
        text = START.read_text(encoding="utf-8")
        if self.editable_mode:
            text = text.replace('\nCHECKOUT = ""\n', f"\nCHECKOUT = {str(HERE)!a}\n")
        (place / STARTED).write_text(text, encoding="utf-8")


def _compiled(program: str, failed: int, place: Path) -> list[str]:
    """The command that compiles a launcher as extension modules are compiled."""
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    options = [*shlex.split(os.environ.get("CFLAGS", "")), *shlex.split(os.environ.get("LDFLAGS", ""))]
    return [
        *shlex.split(compiler), "-O2", "-Wall", "-Wextra", *options,
        f'-DPROGRAM="{program}"', f"-DFAILED={failed}", "-o", str(place / program), str(LAUNCHER),
    ]  # fmt: skip


class InstallLaunchers(install_scripts):
    """As ever; but what the programs start is no program itself."""

    def run(self) -> None:
        super().run()
        (Path(self.install_dir) / STARTED).chmod(0o644)


setup(
    cffi_modules=["sandbox/_kernel/build.py:ffibuilder"],
    scripts=[str(LAUNCHER.relative_to(HERE))],
    cmdclass={
        "build_py": BuildWithPrograms,
        "build_scripts": BuildLaunchers,
        "install_scripts": InstallLaunchers,
    },
)

"""A directory that somebody hostile has prepared for whoever starts Python in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

MODULES = (
    "_cffi_backend", "argparse", "cffi", "elftools/__init__", "encodings/__init__", "importlib/__init__",
    "json/__init__", "os", "ptrace/__init__", "sandbox", "signal", "site", "sitecustomize", "subprocess",
    "typing", "usercustomize", "warnings",
)  # fmt: skip
"""What programs and Python itself import, by the names that would be looked for first."""

_MARK = "import posix\nposix.close(posix.open({mark!r}, posix.O_CREAT | posix.O_WRONLY, 0o666))\n"


class Hostile:
    """`place` is the directory. Each file there leaves a mark when it is executed."""

    def __init__(self, base: Path) -> None:
        self.place = base / "hostile"
        self._marks = base / "marks"
        user = self.place / "base" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
        for directory in (self.place, self._marks, user):
            directory.mkdir(parents=True)
        self._marks.chmod(0o777)
        for name in MODULES:
            self._plant(self.place / f"{name}.py", name.partition("/")[0])
        for name in ("sandbox", "usercustomize"):
            self._plant(user / f"{name}.py", f"user-{name}")
        self._plant(self.place / "startup.py", "startup")
        (user / "evil.pth").write_text(f"import posix; posix.open({self._mark('pth')!r}, 64, 0o666)\n")

    def _mark(self, name: str) -> str:
        return str(self._marks / name)

    def _plant(self, path: Path, name: str) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(_MARK.format(mark=self._mark(name)))

    def marks(self) -> set[str]:
        """Which of the files were executed."""
        return set(os.listdir(self._marks))

    def settings(self) -> dict[str, dict[str, str]]:
        """Python's environment variables, such that each leads into this directory."""
        place = str(self.place)
        return {
            "empty-entry": {"PYTHONPATH": ":/x"},
            "dot": {"PYTHONPATH": "."},
            "nothing": {},
            "path": {"PYTHONPATH": place},
            "home": {"PYTHONHOME": place, "PYTHONPATH": place},
            "user-base": {"PYTHONUSERBASE": f"{place}/base", "HOME": place},
            "interactive": {"PYTHONSTARTUP": f"{place}/startup.py", "PYTHONINSPECT": "1"},
            "rest": {
                "PYTHONPATH": f"{place}:",
                "PYTHONPLATLIBDIR": "base/lib",
                "PYTHONPYCACHEPREFIX": f"{place}/cache",
                "PYTHONWARNINGS": "error::sandbox.Warning",
                "PYTHONBREAKPOINT": "sandbox.stop",
                "PYTHONCASEOK": "1",
                "PYTHONSAFEPATH": "",
                "PYTHONEXECUTABLE": f"{place}/python",
            },
        }

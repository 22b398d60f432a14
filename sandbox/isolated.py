"""Python processes in which nothing of the working directory or of the caller's Python settings runs.

`-I` makes Python ignore PYTHONPATH and its like, the user's site directory and the working directory; `-S`
leaves out `site`, with every .pth file and sitecustomize. So only the standard library can be imported, and
what `find_in` has found: such a package is looked for in its own place and nowhere else. When a guest begins,
`close` ends importing altogether: the guest may be able to write where a module lies.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from sandbox.errors import SetupError

DEPENDENCIES = {"_cffi_backend": "cffi", "elftools": "pyelftools"}
"""Modules that we import from elsewhere than the standard library, and the distributions they come from."""

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Ctrl-C comes to a whole job: what a process that is still loading would say of it is nobody's to read.
_BEGIN = """\
import signal, sys
signal.getsignal(2) is signal.SIG_IGN or signal.signal(2, signal.SIG_DFL)
sys.path.append({root!a})
from sandbox import isolated
sys.path.pop()
isolated.use({places!a})
"""


class _Finder:
    """Finds the modules it was made for, each in its place."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self.places = places

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder` says."""
        place = self.places.get(name)
        return PathFinder.find_spec(name, [place]) if place else None


class _Closed:
    """Refuses every module that is not loaded yet."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raises ImportError."""
        raise ModuleNotFoundError(f"{name} was not loaded before the guest began", name=name)


def use(places: Mapping[str, str]) -> None:
    """From now on find these modules in these directories, as far as the standard library has none."""
    sys.meta_path.append(_Finder(dict(places)))


def find_in(places: Iterable[str], further: Callable[[], Iterable[str]]) -> None:
    """Find our dependencies in the first of these places that has them, or in those that `further` tells."""
    found = _found(DEPENDENCIES, places)
    if missing := DEPENDENCIES.keys() - found:
        found |= _found(missing, further())
    use(found)


def _found(names: Iterable[str], places: Iterable[str]) -> dict[str, str]:
    searched = [(name, place) for name in names for place in places]
    there = [(name, place) for name, place in searched if PathFinder.find_spec(name, [place])]
    return dict(reversed(there))


def command(code: str, *words: str) -> list[str]:
    """The command that runs `code` isolated, with our package as it is here, and `words` as arguments.

    Raises SetupError where this process does not know its Python.
    """
    begin = _BEGIN.format(root=_ROOT, places=_places())
    return [interpreter(), "-I", "-S", "-c", begin + code, *words]


def _places() -> dict[str, str]:
    """Where this process finds our dependencies: those that it has.

    What it has loaded counts first, then what it was told itself (`use`), then where installers put packages,
    then the rest of its path. A relative entry is no place: it is another one in each working directory, and
    the files there are not ours to run.
    """
    told = {name: at for one in sys.meta_path if isinstance(one, _Finder) for name, at in one.places.items()}
    absolute = [place for place in sys.path if os.path.isabs(place)]
    installed = [one for one in absolute if os.path.basename(one) in ("site-packages", "dist-packages")]
    return _found(DEPENDENCIES, [_ROOT, *installed, *absolute]) | told | _loaded()


def _loaded() -> dict[str, str]:
    places = {}
    for name in DEPENDENCIES:
        spec = getattr(sys.modules.get(name), "__spec__", None)
        if spec is not None and spec.origin is not None and os.path.isabs(spec.origin):
            within = os.path.dirname(spec.origin)
            places[name] = os.path.dirname(within) if spec.submodule_search_locations else within
    return places


def interpreter() -> str:
    """The Python that runs this process, to be started again. Raises SetupError.

    In a program that has Python built in, `sys.executable` is that program, or nothing.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    installed = (f"{prefix}/bin/{version}" for prefix in (sys.exec_prefix, sys.base_exec_prefix))
    for path in (sys.executable or "", *installed):
        if os.path.isabs(path) and "py" in os.path.basename(path) and os.access(path, os.X_OK):
            return path
    raise SetupError(
        f"this program's Python is not to be found (sys.executable is {sys.executable!r}): "
        f"set sys.executable to the path of a {version}"
    )


def close() -> None:
    """Import nothing any more: whatever is asked for from now on, and is not loaded, is an ImportError."""
    sys.meta_path[:] = [_Closed()]


def not_loaded(error: ImportError) -> SetupError:
    """What to tell of a module that cannot be imported."""
    name = (error.name or "").partition(".")[0]
    if os.strerror(errno.EMFILE) in str(error):  # which the dynamic linker tells in words only
        return SetupError(f"cannot load {name}: {os.strerror(errno.EMFILE)}")
    if name not in DEPENDENCIES:
        return SetupError(f"the installation is damaged: {error}; install ostoo-sandbox again")
    distribution = DEPENDENCIES[name]
    return SetupError(
        f"the installation lacks {distribution}: {error}; install it with: pip install {distribution}"
    )

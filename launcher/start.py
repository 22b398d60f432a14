#!python
"""Starts `run-untrusted-binary` or `sandboxctl`, in the isolated Python that the launcher beside it started.

Not a program of its own: an installer writes its Python into the first line, and the launcher reads it there.
Only the standard library is on the path, and it stays so: `sandbox.isolated` finds what the package needs.
"""

import os
import sys

CHECKOUT = ""
"""Where an editable install runs from; setup.py writes it."""


def installed() -> list[str]:
    """Where installers put packages whose programs they put here, the likeliest first."""
    above = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    places = [
        f"{above}/{library}/{python}/{packages}"
        for python in (version, "python3")
        for library in dict.fromkeys((sys.platlibdir, "lib", "lib64"))
        for packages in ("site-packages", "dist-packages")
    ]
    there = [place for place in places if os.path.isdir(place)]
    # pip install --target DIR makes DIR/bin, and puts the packages into DIR itself.
    return [above] if not root_among(there) and root_among([above]) and not CHECKOUT else there


def of_interpreter() -> list[str]:
    """Where this Python has packages for everybody; the user's own are not among them."""
    import site

    before = sys.path[:]
    site.main()
    added = [place for place in sys.path if place not in before and os.path.isabs(place)]
    sys.path[:] = before
    return added


def root_among(places: list[str]) -> str:
    """The first of these places that has this package, or ''."""
    return next((place for place in places if os.path.isfile(f"{place}/sandbox/isolated.py")), "")


def main() -> int:
    """Run the program that the first argument names."""
    program = sys.argv.pop(1)
    places = installed()
    root = CHECKOUT or root_among(places)
    if not root:
        places += of_interpreter()
        root = root_among(places)
    if not root:
        sys.stderr.write(f"{program}: its Python package is not to be found; install ostoo-sandbox again\n")
        return 125 if program == "run-untrusted-binary" else 2
    sys.path.append(root)
    from sandbox import isolated

    sys.path.pop()
    isolated.find_in(places, of_interpreter)
    from sandbox.cli import start

    return start.PROGRAMS[program]()


if __name__ == "__main__":
    if not (sys.flags.isolated and sys.flags.no_site and len(sys.argv) > 1):
        sys.exit("this is a part of ostoo-sandbox; run run-untrusted-binary or sandboxctl")
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

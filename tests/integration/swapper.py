"""A hostile neighbour: puts a link in the place of every new directory it can reach. A program of its own.

    python swapper.py PLACE TARGET

Each directory that appears in PLACE, or up to three levels below, is removed if it is empty, else moved
aside, and a link to TARGET takes its name. It says "ready" once it looks, and goes on until it is killed. It
is run both as a guest, which may write in PLACE, and natively.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

DEPTH = 3
ASIDE = ".aside-"


def directories(place: str, depth: int) -> Iterator[str]:
    """The place and the directories in it; no links are followed."""
    yield place
    if depth == 0:
        return
    try:
        with os.scandir(place) as entries:
            inner = [one.path for one in entries if one.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for path in inner:
        if not os.path.basename(path).startswith(ASIDE):
            yield from directories(path, depth - 1)


def exchange(path: str, target: str) -> None:
    """Take a directory away and leave a link."""
    try:
        os.rmdir(path)
    except OSError:
        os.rename(path, os.path.join(os.path.dirname(path), ASIDE + os.urandom(8).hex()))
    os.symlink(target, path)


def swap(place: str, target: str, kept: set[str]) -> None:
    """One look at everything; the deepest, which the run made last, goes first."""
    for path in reversed(list(directories(place, DEPTH))):
        if path in kept:
            continue
        try:
            exchange(path, target)
        except OSError:
            continue


def main(place: str, target: str) -> None:
    """Until somebody kills us."""
    kept = set(directories(place, DEPTH))
    print("ready", flush=True)
    while True:
        swap(place, target, kept)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The FILE argument that commands on audit logs share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from sandbox.audit.reader import open_log, shown
from sandbox.errors import AuditError


def add_file(parser: argparse.ArgumentParser) -> None:
    """Add the FILE argument."""
    parser.add_argument("file", metavar="FILE", help="an audit log; - is standard input")


@contextmanager
def reading(file: str) -> Iterator[BinaryIO]:
    """The log to read; an AuditError raised meanwhile gets the file's name in front."""
    if file == "-":
        if sys.stdin is None:
            raise AuditError("standard input is closed")
        with _named("standard input"):
            yield sys.stdin.buffer
        return
    with open_log(file) as stream, _named(shown(file)):
        yield stream


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except AuditError as error:
        raise AuditError(f"{name}: {error}") from error

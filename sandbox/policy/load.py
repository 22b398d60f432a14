"""Policies from text and files: `load`, `loads`, and the shipped ones."""

from __future__ import annotations

import os
from typing import NamedTuple

from sandbox.errors import PolicyError
from sandbox.policy.layers import Layer, combine, parse_layer
from sandbox.policy.model import Policy
from sandbox.policy.reading import (
    File,
    beside,
    decode,
    describe_names,
    find_shipped,
    is_file_name,
    read_file,
    shipped,
)
from sandbox.policy.values import printable, quote

__all__ = ["Loaded", "find_shipped", "load", "load_layers", "loads", "loads_layers", "shipped"]

MAX_EXTENDS = 8


class Loaded(NamedTuple):
    """A policy, and the files it was made of: its own first, each extending the next."""

    policy: Policy
    layers: tuple[Layer, ...]


def load(name_or_path: str) -> Policy:
    """The policy of this name or in this file, `extends` resolved.

    A name with a `/` in it or `.toml` at its end is a file's; any other is a shipped policy's. Raises
    PolicyError, whose text is one line, for whatever is wrong with it.
    """
    return load_layers(name_or_path).policy


def load_layers(name_or_path: str) -> Loaded:
    """As `load`, with the files the policy was made of, for tools that point at their lines."""
    path = name_or_path if is_file_name(name_or_path) else find_shipped(name_or_path)
    return _resolve(read_file(path))


def loads(text: str, *, file: str = "<string>") -> Policy:
    """The policy in this text. `file` names it in messages, and `extends` is relative to its directory.

    Raises PolicyError as `load` does.
    """
    return loads_layers(text, file=file).policy


def loads_layers(text: str, *, file: str = "<string>") -> Loaded:
    """As `loads`, with the texts the policy was made of."""
    return _resolve(File(file, text.encode("utf-8", "surrogatepass"), (-1, -1)))


def _resolve(file: File) -> Loaded:
    """The policy in a file and those it extends. Its hash is over all of their bytes, in that order."""
    import hashlib

    digest = hashlib.sha256()
    layers: list[Layer] = []
    seen: list[tuple[int, int]] = []
    while True:
        digest.update(file.data)
        layer = parse_layer(decode(file.data, file.path), file.path)
        layers.append(layer)
        seen.append(file.identity)
        if not layer.extends:
            return Loaded(combine(layers, digest.hexdigest()), tuple(layers))
        file = _extended(layer, file.path, len(layers))
        if file.identity in seen:
            message = f"extends {quote(layer.extends)} comes back to a policy that extends this one"
            raise layer.source.error(("extends",), message, "a policy that does not extend this one")


def _extended(layer: Layer, path: str, depth: int) -> File:
    """The file a layer extends. Its absence is an error in the layer."""
    name = layer.extends
    if depth > MAX_EXTENDS:
        message = f"extends {quote(name)} is one level too many"
        raise layer.source.error(("extends",), message, f"at most {MAX_EXTENDS} levels")
    try:
        if is_file_name(name):
            return read_file(beside(path, name))
        return read_file(find_shipped(name))
    except PolicyError as error:
        message = f"extends {quote(name)}: {printable(error.message)}"
        there = is_file_name(name) and os.path.exists(beside(path, name))
        allowed = "a regular file that can be read" if there else describe_names()
        raise layer.source.error(("extends",), message, allowed) from None

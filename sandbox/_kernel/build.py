"""Builds the C core as `sandbox._kernel._core` (cffi, API mode, out of line).

setup.py names `ffibuilder`; `python -m sandbox._kernel.build` compiles it in place.
"""

from __future__ import annotations

from pathlib import Path

import cffi

HERE = Path(__file__).resolve().parent

ffibuilder = cffi.FFI()
ffibuilder.cdef((HERE / "core.h").read_text())
ffibuilder.set_source(
    "sandbox._kernel._core",
    "#include <stdint.h>\n" + (HERE / "core.c").read_text(),
    include_dirs=[str(HERE)],
    depends=[str(HERE / "core.c"), str(HERE / "core.h")],
    extra_compile_args=["-O2", "-Wall", "-Wextra", "-Werror=implicit-function-declaration"],
)

if __name__ == "__main__":
    ffibuilder.compile(tmpdir=str(HERE.parents[1]), verbose=False)

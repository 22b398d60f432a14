"""Builds the C core as `sandbox._kernel._core` (cffi, API mode, out of line).

setup.py names `ffibuilder`; `python -m sandbox._kernel.build` compiles it in place.
"""

from __future__ import annotations

from pathlib import Path

import cffi

HERE = Path(__file__).resolve().parent

# One translation unit, in this order: what one part defines, those after it use.
PARTS = (
    "core.c", "descriptors.c", "child.c", "launch.c", "wait.c", "tracee.c", "behalf.c", "pump.c",
    "landlock.c", "detach.c",
)  # fmt: skip


def source() -> str:
    """All parts as one C source, in which the compiler's messages name the part."""
    return "".join(f'#line 1 "{part}"\n{(HERE / part).read_text()}\n' for part in PARTS)


ffibuilder = cffi.FFI()
ffibuilder.cdef((HERE / "core.h").read_text())
ffibuilder.set_source(
    "sandbox._kernel._core",
    "#include <stdint.h>\n" + source(),
    include_dirs=[str(HERE)],
    depends=[str(HERE / part) for part in (*PARTS, "core.h")],
    extra_compile_args=["-O2", "-Wall", "-Wextra", "-Werror=implicit-function-declaration"],
)

if __name__ == "__main__":
    ffibuilder.compile(tmpdir=str(HERE.parents[1]), verbose=False)

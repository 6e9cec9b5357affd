"""The program ``selfsame``: it trains image encoders without labels, on the libtorch that PyTorch brings."""

import importlib.util
import os
import re
import sys
from pathlib import Path

#: The version of PyTorch whose libtorch the program is built for.
TORCH = "2.11.0"
#: Exit code of a machine that lacks something.
UNFIT = 5

_HERE = Path(__file__).resolve().parent


def program() -> Path:
    """The program's file."""
    return _HERE / "bin" / "selfsame"


def libtorch() -> Path:
    """The folder with ``libtorch_cpu.so``: the one that SELFSAME_LIBTORCH names, else that of the installed PyTorch.

    Raises:
        RuntimeError: there is none, or one of another version; the message says what was seen and what to do.
    """
    named = os.environ.get("SELFSAME_LIBTORCH")
    if named:
        for folder in (Path(named), Path(named) / "lib"):
            if (folder / "libtorch_cpu.so").exists():
                return folder
        raise RuntimeError(
            f"SELFSAME_LIBTORCH is {named}, which holds no libtorch_cpu.so, nor does its folder lib; "
            f"name a libtorch {TORCH}, or unset it"
        )
    advice = f"`{sys.executable} -m pip install torch=={TORCH}`"
    found = importlib.util.find_spec("torch")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError(f"selfsame needs PyTorch {TORCH}, and this Python has none: {advice}")
    folder = Path(next(iter(found.submodule_search_locations)))
    version = _version(folder)
    if version != TORCH:
        raise RuntimeError(f"selfsame needs PyTorch {TORCH}, and {folder} is {version or 'of no version'}: {advice}")
    if not (folder / "lib" / "libtorch_cpu.so").exists():
        raise RuntimeError(f"{folder / 'lib'} holds no libtorch_cpu.so, which PyTorch's own wheels have: {advice}")
    return folder / "lib"


def _version(torch: Path) -> "str | None":
    """What the folder's ``version.py`` says, without ``+cu130`` and the like. PyTorch is not imported: that takes seconds."""
    try:
        text = (torch / "version.py").read_text(encoding="utf-8")
    except OSError:
        return None
    said = re.search(r"^__version__ *= *['\"]([^'\"+]*)", text, re.MULTILINE)
    return said and said.group(1)


def main() -> None:
    """Becomes the program, with the same arguments."""
    try:
        folder = libtorch()
    except RuntimeError as reason:
        print(f"error: {reason}", file=sys.stderr)
        sys.exit(UNFIT)
    before = os.environ.get("LD_LIBRARY_PATH")
    path = f"{folder}:{before}" if before else str(folder)
    try:
        os.execve(program(), ["selfsame", *sys.argv[1:]], {**os.environ, "LD_LIBRARY_PATH": path})
    except OSError as reason:
        print(f"error: {program()} cannot be started: {reason.strerror}; install the wheel again", file=sys.stderr)
        sys.exit(UNFIT)

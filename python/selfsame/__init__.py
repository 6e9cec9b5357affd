"""The program ``selfsame``, which trains image encoders without labels on PyTorch's libtorch, and the runs that it leaves."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

from .run import Embeddings, Run, Score

__all__ = ["Embeddings", "ProgramError", "Run", "Score", "call", "libtorch", "main", "program"]

#: The version of PyTorch whose libtorch the program is built for.
TORCH = "2.11.0"
#: Exit code of a machine that lacks something.
UNFIT = 5

_HERE = Path(__file__).resolve().parent


class ProgramError(RuntimeError):
    """What the program said when it failed; its exit code is the second argument (2 usage, 3 data, 4 plugin, 5 device)."""


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


def _version(torch: Path) -> str | None:
    """What the folder's ``version.py`` says, without ``+cu130`` and the like. PyTorch is not imported: that takes seconds."""
    try:
        said = re.search(r"^__version__ *= *['\"]([^'\"+]*)", (torch / "version.py").read_text("utf-8"), re.MULTILINE)
    except OSError:
        return None
    return said.group(1) if said else None


def _environment() -> dict[str, str]:
    """The program's variables: where libtorch is, or why there is none, which the program says where it computes; and below which
    folders pip puts plugins (the second with ``--target``)."""
    prefixes = [sysconfig.get_path("data"), str(_HERE.parent)]
    environment = {**os.environ, "SELFSAME_ENVIRONMENT": ":".join(prefixes)}
    try:
        libraries = [str(libtorch()), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    except RuntimeError as reason:
        libraries = [str(_HERE / "bin" / "without-libtorch")]
        environment["SELFSAME_WITHOUT_LIBTORCH"] = str(reason)
    return {**environment, "LD_LIBRARY_PATH": ":".join(libraries)}


def call(*arguments: str | os.PathLike[str]) -> str:
    """Runs the program with these arguments and returns its standard output.

    Raises:
        ProgramError: it failed; the message is the program's own. Exit code 5: also where there is no libtorch to compute with.
    """
    words = [str(program()), *(os.fspath(argument) for argument in arguments)]
    ran = subprocess.run(words, env=_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if ran.returncode:
        raise ProgramError(re.split(r"^error: ", ran.stderr, flags=re.MULTILINE)[-1].strip(), ran.returncode)
    sys.stderr.write(ran.stderr)
    return ran.stdout


def main() -> None:
    """Becomes the program, with the same arguments."""
    try:
        os.execve(program(), ["selfsame", *sys.argv[1:]], _environment())
    except OSError as reason:
        print(f"error: {program()} cannot be started: {reason.strerror}; install the wheel again", file=sys.stderr)
    sys.exit(UNFIT)

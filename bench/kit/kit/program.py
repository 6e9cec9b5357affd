"""The program: the libtorch that it computes with, how it is started, and what its runs have written."""

import json
import os
import shlex
import shutil
import signal
import statistics
import subprocess
import time
from pathlib import Path

from .budget import Failed, TookTooLong

TORCH = """
import json, torch
try:
    import torchvision
    vision = torchvision.__version__
except Exception as error:
    vision = None
print(json.dumps({"torch": torch.__version__, "folder": torch.__path__[0], "torchvision": vision}))
"""


class NotReady(Exception):
    """Nothing can be done here, and why."""


class Machine:
    """Where everything is, and the environment that programs are started in."""

    def __init__(self, kit, options):
        self.kit, self.work, self.device = kit, options.work.resolve(), options.device
        self.python, self.is_standin = options.python, options.standin is not None
        self.work.mkdir(parents=True, exist_ok=True)
        self.torch = self._torch()
        libtorch = Path(options.libtorch) if options.libtorch else self._libtorch_of_pytorch()
        libtorch = next((f for f in (libtorch, libtorch / "lib") if (f / "libtorch_cpu.so").exists()), None)
        if libtorch is None:
            raise NotReady(f"--libtorch {options.libtorch} holds no libtorch_cpu.so, nor does its folder lib")
        self.libtorch = libtorch.resolve()
        self.path = [self.libtorch]
        if self.is_standin:
            self.path = self._standin(Path(options.standin).resolve())
        self.environment = dict(os.environ, XDG_CACHE_HOME=str(self.work / "cache"))
        for name in [name for name in self.environment if name.startswith("SELFSAME_")]:
            del self.environment[name]
        before = self.environment.get("LD_LIBRARY_PATH")
        path = [str(folder) for folder in self.path] + ([before] if before else [])
        self.environment["LD_LIBRARY_PATH"] = ":".join(path)
        self.version = self.output(["--version"], 120).strip()

    def _torch(self):
        """PyTorch in `--python`, or none."""
        try:
            found = subprocess.run([self.python, "-c", TORCH], capture_output=True, text=True, timeout=300)
            return json.loads(found.stdout) if found.returncode == 0 else None
        except (OSError, ValueError, subprocess.TimeoutExpired):
            return None

    def _libtorch_of_pytorch(self):
        if self.torch is None:
            raise NotReady(f"{self.python} has no torch; name a Python that has PyTorch 2.11 with --python")
        if not self.torch["torch"].startswith("2.11."):
            raise NotReady(f"{self.python} has PyTorch {self.torch['torch']}, and the program needs 2.11's libtorch")
        return Path(self.torch["folder"]) / "lib"

    def _standin(self, folder):
        """The stand-in's folder. libtorch's real CUDA half would be taken first, so libtorch is linked to without it."""
        if not (folder / "libtorch_cuda.so").exists():
            raise NotReady(f"--standin {folder} holds no libtorch_cuda.so")
        if not (self.libtorch / "libtorch_cuda.so").exists():
            return [folder, self.libtorch]
        linked = self.work / "libtorch"
        shutil.rmtree(linked, ignore_errors=True)
        linked.mkdir()
        for file in self.libtorch.glob("*.so*"):
            if not file.name.startswith(("libtorch_cuda", "libc10_cuda")):
                try:
                    os.link(file, linked / file.name)
                except OSError:
                    shutil.copy(file, linked / file.name)
        nvidia = sorted(self.libtorch.parent.parent.glob("nvidia/*/lib"))
        return [folder, linked, *nvidia]

    def command(self, arguments):
        return [str(self.kit / "bin/selfsame"), *map(str, arguments)]

    def shown(self, command):
        """A command as a user of the kit types it."""
        return shlex.join(str(part) for part in command).replace(f"{self.kit}/", "./")

    def start(self, arguments, environment=None, stdout=subprocess.PIPE, stderr=subprocess.PIPE):
        """The program, in a group of its own, so that all its processes can be ended."""
        return subprocess.Popen(
            self.command(arguments), env={**self.environment, **(environment or {})}, cwd=self.kit, text=True,
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True,
        )

    def ran(self, arguments, seconds, environment=None):
        """Exit code, standard output and standard error of the program; `Failed` where it takes too long."""
        process = self.start(arguments, environment)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            end(process)
            raise TookTooLong(f"not done within {seconds:.0f} s: {self.shown(self.command(arguments))}") from None
        return process.returncode, out, err

    def output(self, arguments, seconds):
        code, out, err = self.ran(arguments, seconds)
        if code != 0:
            raise NotReady(f"{self.shown(self.command(arguments))} ends with {code}: {err.strip()[-2000:]}")
        return out


def end(process):
    """Ends a program and what it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.communicate()


class Run:
    """A training run in a folder of its own, which is made anew."""

    def __init__(self, machine, name, arguments, environment=None):
        self.machine, self.environment = machine, environment
        self.folder = machine.work / "runs" / name
        self.arguments = ["train", *arguments, "--output-dir", self.folder]
        shutil.rmtree(self.folder, ignore_errors=True)

    @classmethod
    def existing(cls, machine, folder):
        """To read what is there."""
        run = cls.__new__(cls)
        run.machine, run.folder, run.environment, run.arguments = machine, folder, None, []
        return run

    def command(self):
        variables = [f"{name}={value}" for name, value in (self.environment or {}).items()]
        return " ".join([*variables, self.machine.shown(self.machine.command(self.arguments))])

    def finish(self, seconds, *more):
        """To its end, which has to be a good one."""
        code, _, err = self.machine.ran([*self.arguments, *more], seconds, self.environment)
        if code != 0:
            raise Failed(f"{self.command()} ends with {code}: {err.strip()[-2000:]}")
        return self

    def until(self, is_enough, seconds):
        """Until `is_enough(events)`, and then it is killed. Returns whether it was; False where it ended before."""
        deadline = time.monotonic() + seconds
        log = self.folder.with_suffix(".stderr")
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "w") as stderr:
            process = self.machine.start(self.arguments, self.environment, stderr, stderr)
        try:
            while process.poll() is None:
                if is_enough(self.events()):
                    return True
                if time.monotonic() > deadline:
                    raise TookTooLong(f"not done within {seconds:.0f} s: {self.command()}")
                time.sleep(0.01)
        finally:
            end(process)
        if process.returncode != 0:
            raise Failed(f"{self.command()} ends with {process.returncode}: {log.read_text().strip()[-2000:]}")
        return False

    def events(self):
        """The lines of metrics.jsonl; none where it is not there yet."""
        try:
            text = (self.folder / "metrics.jsonl").read_text()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def losses(self):
        """The loss of each line of steps."""
        return [event["metrics"]["ssl/train/loss"] for event in self.events() if event["event"] == "step"]

    def weights(self):
        return self.folder / "encoder.safetensors"


def windows(events):
    """Images a second of each stretch of steps that has a line, without the first one, which warms up, and without much
    shorter ones than the others."""
    lines = [event for event in events if event["event"] == "step"]
    lengths = [after["step"] - before["step"] for before, after in zip(lines, lines[1:])]
    long_enough = min(10, max(lengths, default=0))
    return [
        line["metrics"]["throughput/images_per_s"] for line, length in zip(lines[1:], lengths) if length >= long_enough
    ]


def speed(events):
    """The median, the least and the greatest of the windows."""
    found = windows(events)
    if not found:
        raise Failed("no steps after the warm-up were logged")
    return {"images_per_s": statistics.median(found), "least": min(found), "greatest": max(found), "windows": len(found)}

"""Images a second, peak memory and kNN: ours, and the peers' in turn. The most telling come first."""

import datetime
import json
import os
import shutil
import subprocess

from .budget import Failed, LeftOut, Step, TookTooLong
from .program import Run, end, speed
from .sizes import CIFAR, settings

# Peers: what they are called in tables, and how bench/peer/train.py is told.
PEERS = {
    "eager": [],
    "channels-last": ["--channels-last"],
    "compiled": ["--channels-last", "--compile"],
    "DataLoader": ["--channels-last", "--input", "loader"],
}


def steps(machine, sizes):
    measures = Measures(machine, sizes)
    ours, peer = measures.ours, measures.peer
    small, main, large = sizes.batches
    if sizes.tiny:
        # One of each kind; to compile takes minutes.
        return [
            ours("simclr", main, "bf16"), peer("channels-last", "simclr", main, "bf16"), peer("DataLoader", "byol", main, "fp32"),
            measures.large("byol", "fp32"), measures.knn(), measures.profile("bf16"),
        ]
    plan = [measures.data()]
    for method in ("simclr", "byol"):
        plan += [ours(method, main, "bf16"), peer("compiled", method, main, "bf16"), peer("channels-last", method, main, "bf16")]
    plan += [measures.profile("bf16"), measures.knn(), measures.knn_of_peer()]
    plan += [ours("simclr", main, "fp32"), measures.profile("fp32")]
    plan += [peer(variant, "simclr", main, "fp32") for variant in ("channels-last", "compiled")]
    for method in ("simclr", "byol"):
        plan += [measures.large(method, "bf16"), measures.large_peer("compiled", method, "bf16")]
    for batch in (large, small):
        plan += [ours("simclr", batch, "bf16"), peer("compiled", "simclr", batch, "bf16")]
    plan += [peer("DataLoader", "simclr", main, "bf16"), ours("simclr", main, "tf32"), peer("eager", "simclr", main, "fp32")]
    for batch in (large, small):
        plan += [ours("byol", batch, "bf16"), peer("compiled", "byol", batch, "bf16")]
    plan += [ours("byol", main, "fp32"), measures.large("simclr", "fp32"), measures.large_peer("channels-last", "simclr", "fp32")]
    # Once more, to see what the machine's state does to the numbers.
    plan += [ours("simclr", main, "bf16", "again"), peer("compiled", "simclr", main, "bf16", "again")]
    return plan


class Measures:
    def __init__(self, machine, sizes):
        self.machine, self.sizes = machine, sizes

    def data(self):
        """CIFAR-10's files, where the kit has them."""
        return Step("CIFAR-10 is unpacked", "data", self.unpack, 240)

    def unpack(self, seconds):
        if not self.sizes.has_cifar:
            raise LeftOut(f"{self.sizes.why_no_cifar}; speed is measured on shapes")
        if (self.sizes.cifar / "complete").exists():
            return {"ok": True, "said": "was there"}
        script = self.machine.kit / "kit/unpack.py"
        command = [self.machine.python, script, self.machine.kit / "cifar10", self.sizes.cifar]
        out = self.python(command, seconds)
        (self.sizes.cifar / "complete").touch()
        return {"ok": True, "said": out.strip().splitlines()[-1], "command": self.machine.shown(command)}

    def python(self, command, seconds):
        """Standard output of a Python program, which is ended with its workers."""
        environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
        for name in ("XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"):
            environment[name] = str(self.machine.work / "cache" / name.lower())
        process = subprocess.Popen(
            [str(part) for part in command], env=environment, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            end(process)
            raise TookTooLong(f"not done within {seconds:.0f} s") from None
        if process.returncode != 0:
            raise Failed(f"ends with {process.returncode}: {err.strip()[-1000:]}")
        return out

    def own_data(self, count, pixels=32):
        if self.sizes.has_cifar and pixels == 32:
            return {"dataset.dataset_dir": self.sizes.cifar, "data.limit.train": min(count, CIFAR), "data.limit.val": 256}
        return self.sizes.shapes(count, pixels)

    def ours(self, method, batch, precision, note=None):
        return self.own_step(method, self.sizes.encoder, batch, 32, precision, note)

    def large(self, method, precision):
        sizes = self.sizes
        return self.own_step(method, sizes.large, sizes.large_batch, sizes.large_pixels, precision)

    def own_step(self, method, encoder, batch, pixels, precision, note=None):
        facts = {
            "who": "selfsame", "method": method, "encoder": encoder, "pixels": pixels, "batch": batch, "precision": precision,
        }
        name = f"selfsame {method}, {encoder}, {pixels} px, batch {batch}, {precision}" + (f", {note}" if note else "")
        return Step(name, "speed", lambda seconds: self.measure(facts, note, seconds), 120, 15, facts)

    def arguments(self, facts, epochs):
        sizes, batch = self.sizes, facts["batch"]
        is_large = facts["pixels"] > 32
        steps = sizes.steps + sizes.warm_up
        # Of large images a few are enough: each is seen several times.
        count = max(min(batch * steps, 2048), batch) if is_large else batch * steps
        if sizes.tiny:
            # Several epochs, so that there are several lines of the log.
            count = 2 * batch
        values = {
            **self.own_data(count, facts["pixels"]),
            "train.self_supervision.encoder_name": facts["encoder"],
            "train.batch_size": batch,
            "train.device": sizes.device,
            "train.precision": facts["precision"],
            "train.report_images": False,
            "train.checkpoint_period": 0,
            "scheduler.epochs": epochs,
            "scheduler.warmup_epochs": 0,
            "knn.every_epochs": 0,
            **sizes.small_heads(),
        }
        if is_large:
            values |= {"preprocess.resize": facts["pixels"], "encoder.stem": "imagenet"}
        return [*sizes.recipe(facts["method"]), *settings(values)]

    def measure(self, facts, note, seconds):
        sizes = self.sizes
        name = "-".join(str(part) for part in ("speed", *facts.values(), note or "")).strip("-")
        run = Run(self.machine, name, self.arguments(facts, 50))
        wanted = sizes.steps + sizes.warm_up

        def is_enough(events):
            # With the line of an epoch, which has the peak of memory.
            return bool(events) and events[-1]["event"] == "epoch" and events[-1]["step"] >= wanted

        try:
            run.until(is_enough, seconds)
        except Failed:
            # A slow device: what has been logged counts.
            if len([e for e in run.events() if e["event"] == "step"]) < 2:
                raise
        found = {**speed(run.events()), "peak_memory": peak(run.events()), "command": run.command()}
        shutil.rmtree(run.folder, ignore_errors=True)
        return found

    def peer_ready(self):
        if self.machine.torch is None or self.machine.torch["torchvision"] is None:
            raise LeftOut(f"{self.machine.python} has no torch with torchvision")
        if self.machine.is_standin:
            raise LeftOut("PyTorch has no stand-in for CUDA")

    def peer(self, variant, method, batch, precision, note=None):
        return self.peer_step(variant, method, self.sizes.encoder, batch, 32, precision, note)

    def large_peer(self, variant, method, precision):
        sizes = self.sizes
        return self.peer_step(variant, method, sizes.large, sizes.large_batch, sizes.large_pixels, precision)

    def peer_step(self, variant, method, encoder, batch, pixels, precision, note=None):
        # torchvision has no resnet8; trials of the kit measure nothing anyway.
        encoder = {"resnet8": "resnet18"}.get(encoder, encoder)
        facts = {
            "who": f"PyTorch {variant}", "method": method, "encoder": encoder, "pixels": pixels, "batch": batch,
            "precision": precision,
        }
        name = f"PyTorch {variant} {method}, {encoder}, {pixels} px, batch {batch}, {precision}" + (f", {note}" if note else "")
        limit, least = (180, 60) if variant == "compiled" else (90, 20)
        return Step(name, "speed", lambda seconds: self.measure_peer(variant, facts, seconds), limit, least, facts)

    def peer_command(self, variant, facts, more):
        sizes = self.sizes
        command = [self.machine.python, self.machine.kit / "bench/peer/train.py", "--device", sizes.device]
        for key in ("method", "encoder", "pixels", "batch", "precision"):
            command += [f"--{key}", facts[key]]
        if sizes.has_cifar and facts["pixels"] == 32:
            command += ["--data", sizes.cifar]
        return [*command, *PEERS[variant], *more]

    def measure_peer(self, variant, facts, seconds):
        self.peer_ready()
        sizes = self.sizes
        more = ["--steps", sizes.steps, "--warm-up", sizes.warm_up, "--seconds", round(seconds / 2)]
        command = self.peer_command(variant, facts, more)
        found = json.loads(self.python(command, seconds).splitlines()[-1])
        return {**found, "command": self.machine.shown(command)}

    def knn(self):
        name = f"selfsame simclr, {self.sizes.epochs} epochs"
        facts = {"who": "selfsame", "epochs": self.sizes.epochs}
        return Step(name, "knn", self.measure_knn, 240, 30, facts)

    def knn_of_peer(self):
        name = f"PyTorch compiled simclr, {self.sizes.epochs} epochs"
        facts = {"who": "PyTorch compiled", "epochs": self.sizes.epochs}
        return Step(name, "knn", self.measure_knn_of_peer, 240, 30, facts)

    def measure_knn(self, seconds):
        sizes = self.sizes
        if not (sizes.has_cifar or sizes.tiny):
            raise LeftOut(self.sizes.why_no_cifar)
        values = {"scheduler.epochs": sizes.epochs, "knn.every_epochs": 0, "train.device": sizes.device}
        values |= {"train.precision": sizes.precision, **sizes.small_heads()}
        if sizes.tiny:
            values |= {**sizes.shapes(96), "train.batch_size": 16, "train.self_supervision.encoder_name": sizes.encoder}
        else:
            values |= {"dataset.dataset_dir": sizes.cifar}
        run = Run(self.machine, "knn", [*sizes.recipe("simclr"), *settings(values)])
        run.finish(seconds)
        events = run.events()
        trained = events[-1]
        return {
            "knn": trained["metrics"]["knn/val/accuracy"],
            "training_seconds": seconds_between(events[0], trained),
            **speed(events),
            "command": run.command(),
        }

    def measure_knn_of_peer(self, seconds):
        self.peer_ready()
        if not self.sizes.has_cifar:
            raise LeftOut(self.sizes.why_no_cifar)
        facts = {"method": "simclr", "encoder": "resnet18", "pixels": 32, "batch": self.sizes.main, "precision": "bf16"}
        command = self.peer_command("compiled", facts, ["--epochs", self.sizes.epochs])
        found = json.loads(self.python(command, seconds).splitlines()[-1])
        return {**found, "command": self.machine.shown(command)}

    def profile(self, precision):
        name = f"selfsame train --profile, {precision}"
        return Step(name, "profile", lambda seconds: self.measure_profile(precision, seconds), 90, 20)

    def measure_profile(self, precision, seconds):
        sizes = self.sizes
        facts = {"method": "simclr", "encoder": sizes.encoder, "pixels": 32, "batch": sizes.main, "precision": precision}
        arguments = self.arguments(facts, 50)
        steps = 20 if not sizes.tiny else 2
        folder = self.machine.work / f"runs/profile-{precision}"
        shutil.rmtree(folder, ignore_errors=True)
        command = ["train", *arguments, "--output-dir", folder, "--profile", steps]
        code, out, err = self.machine.ran(command, seconds)
        if code != 0:
            raise Failed(f"ends with {code}: {err.strip()[-1000:]}")
        return {"table": out, "command": self.machine.shown(self.machine.command(command))}


def peak(events):
    """The most bytes of the device's memory that tensors had, where a line has it."""
    return max((e["metrics"]["memory/peak_bytes"] for e in events if "memory/peak_bytes" in e["metrics"]), default=None)


def seconds_between(one, other):
    # Nine digits of a second are more than `fromisoformat` takes.
    moments = [datetime.datetime.fromisoformat(event["time"].rstrip("Z")[:26]) for event in (one, other)]
    return round((moments[1] - moments[0]).total_seconds(), 2)

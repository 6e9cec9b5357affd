"""The recipes for CIFAR-10, in slices: each call goes on where the last one stopped."""

import json
import signal
import subprocess

from .budget import Failed, LeftOut, Step
from .measures import Measures
from .program import Run, end, speed
from .sizes import settings

# To save the state, once asked to stop.
GRACE = 30


def steps(machine, sizes, epochs):
    plan = [] if sizes.tiny else [Measures(machine, sizes).data()]
    for method in ("simclr", "byol"):
        recipe = Recipe(machine, sizes, method, epochs)
        plan.append(Step(f"{method}, {epochs} epochs", "long", recipe.train, 1e9, 2 * GRACE if not sizes.tiny else 5))
        plan.append(Step(f"{method}, evaluated on test images", "long", recipe.evaluate, 300, 20 if not sizes.tiny else 5))
    return plan


class Recipe:
    def __init__(self, machine, sizes, method, epochs):
        self.machine, self.sizes, self.method, self.epochs = machine, sizes, method, epochs
        self.folder = machine.work / f"long-{method}-{epochs}-epochs"

    def arguments(self):
        sizes = self.sizes
        values = {"scheduler.epochs": self.epochs, "train.device": sizes.device, **sizes.small_heads()}
        if sizes.tiny:
            values |= {**sizes.shapes(64), "train.batch_size": 16, "train.self_supervision.encoder_name": sizes.encoder}
            values |= {"scheduler.warmup_epochs": 0, "data.limit.test": 40}
        else:
            values |= {"dataset.dataset_dir": sizes.cifar}
        return ["train", *sizes.recipe(self.method), *settings(values), "--output-dir", self.folder, "--resume"]

    def done(self):
        """Epochs that are done, and whether the run is complete."""
        try:
            record = json.loads((self.folder / "run.json").read_text())
        except FileNotFoundError:
            return 0, False
        return record.get("epochs_done") or 0, record["status"] == "completed"

    def train(self, seconds):
        if not (self.sizes.has_cifar or self.sizes.tiny):
            raise LeftOut(self.sizes.why_no_cifar)
        if self.done()[1]:
            return {"ok": True, "said": "was complete"}
        arguments = self.arguments()
        command = self.machine.shown(self.machine.command(arguments))
        log = self.folder.with_suffix(".stderr")
        with open(log, "w") as stderr:
            process = self.machine.start(arguments, stdout=stderr, stderr=stderr)
            try:
                process.wait(max(seconds - GRACE, 1))
            except subprocess.TimeoutExpired:
                # It saves its state; the next call goes on.
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(GRACE)
                except subprocess.TimeoutExpired:
                    pass
            finally:
                end(process)
        if process.returncode not in (0, 143):
            raise Failed(f"{command} ends with {process.returncode}: {log.read_text().strip()[-1000:]}")
        epochs, is_complete = self.done()
        run = Run.existing(self.machine, self.folder)
        rate = f"{speed(run.events())['images_per_s']:.0f} images/s" if len(run.losses()) > 1 else "no speed yet"
        how = "complete" if is_complete else f"stopped in time after {epochs} of {self.epochs} epochs; call again to go on"
        return {"ok": True, "said": f"{how}; {rate}; {scores(run.events())}", "command": command, "is_complete": is_complete}

    def evaluate(self, seconds):
        if not self.done()[1]:
            raise LeftOut("the run is not complete")
        arguments = ["evaluate", self.folder, "--protocol", "knn", "--protocol", "linear", "--json"]
        code, out, err = self.machine.ran(arguments, seconds)
        if code != 0:
            raise Failed(f"ends with {code}: {err.strip()[-1000:]}")
        found = {each["protocol"]: each["metrics"]["accuracy"]["mean"] for each in json.loads(out)}
        said = ", ".join(f"{name} {100 * accuracy:.1f} %" for name, accuracy in found.items())
        return {"ok": True, "said": said, "accuracy": found, "command": self.machine.shown(self.machine.command(arguments))}


def scores(events):
    found = [(event["epoch"], event["metrics"]["knn/val/accuracy"]) for event in events if "knn/val/accuracy" in event["metrics"]]
    return f"kNN {100 * found[-1][1]:.1f} % of held-out images after epoch {found[-1][0]}" if found else "no score yet"

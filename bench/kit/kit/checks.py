"""Whether the program does on this device what it does on the CPU, and what it promises beside that."""

import json

from .budget import Deadline, Failed, LeftOut, Step
from .program import Run
from .sizes import settings
from .tensors import deviation, largest_difference

# float32 on both sides. Sums are in another order on a GPU, and differences grow from step to step; what is
# computed wrongly is off by far more. Of the loss, relative; of the weights, as a share of the way that training has moved them:
# after four steps of SimCLR, the CPU with one thread is 6 % off the CPU with two, and losses differ by 1.4e-5.
LOSS_TOLERANCE = 2e-3
WEIGHT_TOLERANCE = 0.25


def steps(machine, sizes):
    checks = Checks(machine, sizes)
    return [
        Step("doctor", "check", checks.doctor, 120),
        Step("SimCLR, steps beside the CPU's", "check", lambda s: checks.beside_the_cpu("simclr", s), 120),
        Step("BYOL, steps beside the CPU's", "check", lambda s: checks.beside_the_cpu("byol", s), 120),
        Step("killed and resumed", "check", checks.resumed, 120),
        Step("out of memory", "check", checks.out_of_memory, 120),
        Step("two processes on one GPU", "check", lambda s: checks.two_processes(1, s), 120),
        Step("two processes on two GPUs", "check", lambda s: checks.two_processes(2, s), 120),
    ]


class Checks:
    def __init__(self, machine, sizes):
        self.machine, self.sizes = machine, sizes
        self.gpus = 0

    def doctor(self, seconds):
        code, out, err = self.machine.ran(["doctor", "--json"], seconds)
        try:
            lines = json.loads(out)["lines"]
        except (ValueError, KeyError):
            raise Failed(f"`doctor --json` gives no JSON, and ends with {code}: {err.strip()[-1000:]}") from None
        gpus = [line for line in lines if line["name"].startswith("GPU ")]
        self.gpus = sum(line["state"] == "ok" for line in gpus)
        is_there = self.machine.device == "cpu" or self.gpus > 0
        bad = [line for line in lines if line["state"] not in ("ok", "note")]
        telling = bad or gpus or [line for line in lines if line["name"] in ("libtorch", "CPU", "driver", "GPU")]
        said = [f"{line['name']}: {line['found']}" for line in telling]
        return {"ok": code == 0 and is_there, "said": "; ".join(said), "lines": lines}

    def run(self, method, name, batch, steps, epochs, more=None, device=None):
        """A run in float32 without scores; `steps` an epoch."""
        sizes = self.sizes
        values = {
            **sizes.shapes(batch * steps),
            "dataset.options.labels": False,
            "train.self_supervision.encoder_name": sizes.encoder,
            "train.batch_size": batch,
            "train.precision": "fp32",
            "train.device": device or sizes.device,
            "train.report_images": False,
            "scheduler.epochs": epochs,
            "scheduler.warmup_epochs": 0,
            **sizes.small_heads(),
            **(more or {}),
        }
        return Run(self.machine, name, [*sizes.recipe(method), *settings(values)])

    def initial(self, method, batch, time):
        """The weights before training: one step that moves nothing."""
        run = self.run(method, f"check-{method}-initial", batch, 1, 1, {"train.base_lr": 1e-30}, "cpu")
        return run.finish(time.left()).weights()

    def beside_the_cpu(self, method, seconds):
        if self.sizes.device == "cpu":
            raise LeftOut("the device is the CPU itself")
        time = Deadline(seconds)
        batch, epochs = (16, 3) if self.sizes.tiny else (64, 5)
        # An epoch is a step, so that every step has its line of the log.
        cpu = self.run(method, f"check-{method}-cpu", batch, 1, epochs, device="cpu").finish(time.left())
        own = self.run(method, f"check-{method}-device", batch, 1, epochs).finish(time.left())
        loss = largest_difference(own.losses(), cpu.losses())
        weight = deviation(own.weights(), cpu.weights(), self.initial(method, batch, time))
        return {
            "ok": loss <= LOSS_TOLERANCE and weight <= WEIGHT_TOLERANCE,
            "said": f"{epochs} steps of batch {batch} in float32: losses differ by {loss:.1e} (at most {LOSS_TOLERANCE:g}), "
            f"weights by {weight:.1e} of their way (at most {WEIGHT_TOLERANCE:g})",
            "losses": {"device": own.losses(), "cpu": cpu.losses()},
            "weights": weight,
            "command": own.command(),
        }

    def resumed(self, seconds):
        time = Deadline(seconds)
        batch, steps, epochs = (16, 3, 4) if self.sizes.tiny else (64, 4, 6)
        more = {"train.deterministic": True}
        straight = self.run("simclr", "check-straight", batch, steps, epochs, more).finish(time.left())
        killed = self.run("simclr", "check-killed", batch, steps, epochs, more)
        if not killed.until(lambda events: any(e["event"] == "epoch" and e["epoch"] >= 2 for e in events), time.left()):
            raise Failed("the run ended before it could be killed")
        killed.finish(time.left(), "--resume=must")
        loss = largest_difference(killed.losses(), straight.losses())
        is_same = killed.weights().read_bytes() == straight.weights().read_bytes()
        said = "it is the undisturbed run to the last bit" if is_same else "it is NOT the undisturbed run"
        return {
            "ok": is_same and loss == 0,
            "said": f"SIGKILL after epoch 2 of {epochs}, then `--resume`: {said} (losses differ by {loss:.1e})",
            "command": f"{killed.command()} --resume=must",
        }

    def out_of_memory(self, seconds):
        if self.sizes.device == "cpu":
            raise LeftOut("the device is the CPU")
        # The views fit on most cards; ResNet-50's activations, half a terabyte, on none.
        batch, more = 16_384, {"preprocess.resize": 128, "train.self_supervision.encoder_name": "resnet50"}
        if self.sizes.tiny:
            batch, more = 16, {}
        run = self.run("simclr", "check-memory", batch, 1, 1, {"data.cache": "host", **more})
        # The weights fit, and the images.
        memory = 12_000_000 if self.sizes.tiny else 2_000_000_000
        run.environment = {"STANDIN_MEMORY": str(memory)} if self.machine.is_standin else {}
        if self.sizes.tiny and not self.machine.is_standin:
            raise LeftOut("a tiny run fits on every card")
        code, _, err = self.machine.ran(run.arguments, seconds, run.environment)
        said = err.strip().splitlines()[-1] if err.strip() else ""
        names = "out of memory" in said and "try `train.micro_batch_size=" in said
        return {"ok": code == 5 and names, "said": f"exit code {code}: {said}"[:600], "command": run.command()}

    def two_processes(self, gpus, seconds):
        """That they compute what one computes: by Gloo where they share a GPU, else by NCCL."""
        if self.sizes.device == "cpu" or self.gpus < gpus:
            raise LeftOut(f"{self.gpus} GPUs")
        time = Deadline(seconds)
        batch, steps, epochs = (16, 1, 2) if self.sizes.tiny else (64, 1, 4)
        one = self.run("simclr", "check-one-process", batch, steps, epochs).finish(time.left())
        two = self.run("simclr", f"check-two-processes-{gpus}", batch, steps, epochs)
        two.arguments += ["--processes", "2"]
        seen = self.machine.environment.get("CUDA_VISIBLE_DEVICES") or "0,1"
        two.environment = {"CUDA_VISIBLE_DEVICES": ",".join(seen.split(",")[:gpus])}
        two.finish(time.left())
        loss = largest_difference(two.losses(), one.losses())
        weight = deviation(two.weights(), one.weights(), self.initial("simclr", batch, time))
        return {
            "ok": loss <= LOSS_TOLERANCE and weight <= WEIGHT_TOLERANCE,
            "said": f"losses differ by {loss:.1e} from one process's, weights by {weight:.1e} of their way",
            "command": two.command(),
        }

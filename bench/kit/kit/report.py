"""results.json and results.md, written anew after every step, so that an end at any time loses nothing."""

import datetime
import json
import os
import platform
import shlex
import subprocess
import sys


class Results:
    def __init__(self, folder, machine, options):
        self.folder, self.machine = folder, machine
        self.steps = []
        self.name = "results-long" if options.long else "results"
        self.machine_facts = {
            "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "command": shlex.join(["./run", *sys.argv[1:]]),
            "card": card() if options.device == "cuda" and not machine.is_standin else None,
            "is_standin": machine.is_standin,
            "is_tiny": options.tiny,
            "device": options.device,
            "processors": os.cpu_count(),
            "processor": processor(),
            "program": machine.version,
            "libtorch": str(machine.libtorch),
            "pytorch": machine.torch,
        }

    def add(self, step, found):
        self.steps.append({"name": step.name, "kind": step.kind, **step.facts, **found})
        text = found.get("left_out") or found.get("error") or found.get("said")
        if "images_per_s" in found:
            text = f"{found['images_per_s']:.0f} images/s" + (f"; {text}" if text else "")
        if "knn" in found:
            text = f"kNN {100 * found['knn']:.1f} % after {found['training_seconds']:.0f} s"
        said = {None: "", True: "ok: ", False: "FAILED: "}[found.get("ok")]
        said = "left out: " if "left_out" in found else "FAILED: " if "error" in found else said
        print(f"    {said}{text or 'done'}", file=sys.stderr, flush=True)
        self.write()

    def failed(self):
        """The checks that failed, and what else should have been measured and was not for an error of ours."""
        return [step for step in self.steps if step.get("ok") is False or ("error" in step and is_ours(step))]

    def write(self):
        content = {"machine": self.machine_facts, "steps": self.steps}
        replace(self.folder / f"{self.name}.json", json.dumps(content, indent=1) + "\n")
        replace(self.folder / f"{self.name}.md", self.markdown())

    def say(self):
        print(self.folder / f"{self.name}.json")
        print(self.folder / f"{self.name}.md")

    def markdown(self):
        facts = self.machine_facts
        lines = [f"# {self.card_name()}", ""]
        if facts["is_standin"] or facts["is_tiny"]:
            lines += ["**A trial of the kit itself: these numbers say nothing of a GPU.**", ""]
        lines += [
            f"{facts['program']}, {self.pytorch()}, {facts['processors']} processors ({facts['processor']}), Python "
            f"{platform.python_version()}; `{facts['command']}`, {facts['started']}.",
            "",
        ]
        sections = (self.checks(), self.speeds(), self.scores(), self.training(), self.profile(), self.rest(), self.commands())
        return "\n".join(lines + [line for section in sections for line in section])

    def card_name(self):
        facts = self.machine_facts
        if facts["is_standin"]:
            return "Stand-in for CUDA"
        if facts["device"] == "cpu":
            return f"CPU: {facts['processor']}"
        return facts["card"] or "A GPU that nvidia-smi does not name"

    def pytorch(self):
        torch = self.machine_facts["pytorch"]
        if torch is None:
            return "no PyTorch"
        return f"PyTorch {torch['torch']}, torchvision {torch['torchvision'] or 'none'}"

    def of(self, kind):
        """What has a result."""
        return [s for s in self.steps if s["kind"] == kind and "left_out" not in s and "error" not in s]

    def checks(self):
        found = [step for step in self.steps if step["kind"] in ("check", "data") and "left_out" not in step]
        rows = [
            f"| {step['name']} | {'good' if step.get('ok') else '**FAILED**'} | {cell(step.get('said') or step.get('error'))} |"
            for step in found
        ]
        return ["## Checks", "", "| check | | |", "|---|---|---|", *rows, ""] if rows else []

    def speeds(self):
        found = self.of("speed")
        if not found:
            return []
        lines = [
            "## Images a second", "",
            "An image is two views. The median over stretches of steps after the warm-up, their least and greatest; `of best "
            "peer` is ours beside the fastest of PyTorch's in the same row's work. Ours also trains the online head, and "
            "reads its log; memory is the most that tensors took (ours with scoring).", "",
            "| work | precision | who | images/s | least–greatest | peak memory | of best peer |",
            "|---|---|---|---|---|---|---|",
        ]
        order = []
        for step in found:
            if work(step) not in order:
                order.append(work(step))
        for key in order:
            same = [step for step in found if work(step) == key]
            best = max((s["images_per_s"] for s in same if s["who"] != "selfsame"), default=None)
            for step in same:
                ratio = f"{step['images_per_s'] / best:.2f}" if best and step["who"] == "selfsame" else ""
                memory = f"{step['peak_memory'] / 1e9:.2f} GB" if step.get("peak_memory") else ""
                lines.append(
                    f"| {step['method']} {step['encoder']}, {step['pixels']} px, batch {step['batch']} | {step['precision']} | "
                    f"{step['who']} | {step['images_per_s']:.0f} | {step['least']:.0f}–{step['greatest']:.0f} | {memory} | "
                    f"{ratio} |"
                )
        return [*lines, ""]

    def scores(self):
        rows = [
            f"| {step['who']} | {step['epochs']} | {100 * step['knn']:.1f} % | {step['training_seconds']:.0f} s | "
            f"{step['seconds']:.0f} s |"
            for step in self.of("knn")
        ]
        columns = ["| who | epochs | kNN top-1 | first step to last score | all |", "|---|---|---|---|---|"]
        head = ["## kNN on held-out training images", "", *columns]
        return [*head, *rows, ""] if rows else []

    def training(self):
        rows = [f"| {step['name']} | {cell(step['said'])} |" for step in self.of("long")]
        return ["## Recipes", "", "| run | |", "|---|---|", *rows, ""] if rows else []

    def profile(self):
        return [line for step in self.of("profile") for line in (f"## {step['name']}", "", "```", step["table"].rstrip(), "```", "")]

    def rest(self):
        rows = [f"* {s['name']}: {s.get('left_out') or s.get('error')}" for s in self.steps if "left_out" in s or "error" in s]
        return ["## Left out, or without a result", "", *rows, ""] if rows else []

    def commands(self):
        path = "LD_LIBRARY_PATH=" + ":".join(str(folder) for folder in self.machine.path)
        rows = [f"# {step['name']}\n{step['command']}" for step in self.steps if step.get("command")]
        note = f"In the folder of the kit, with `{path}` for `./bin/selfsame`."
        return ["## Commands", "", note, "", "```sh", *rows, "```", ""] if rows else []


def work(step):
    encoder = step["encoder"]
    return (step["method"], encoder, step["pixels"], step["batch"], step["precision"])


def is_ours(step):
    """Whether a lack of a result is the program's own."""
    return not str(step.get("who", "")).startswith("PyTorch")


def cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def replace(path, text):
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(text)
    unfinished.replace(path)


def card():
    """Name, driver and memory of each card, in the words of nvidia-smi; none where there is no such program."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = [line.split(", ") for line in found.stdout.splitlines()]
    cards = [f"{fields[0]}, driver {fields[1]}, {fields[2]}" for fields in lines if len(fields) == 3]
    return "; ".join(cards) or None


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()

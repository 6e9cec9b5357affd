"""How large everything is: the real sizes, and tiny ones for trials of the kit."""

CIFAR = 45_000


class Sizes:
    """What the runs train on, and how much of it."""

    def __init__(self, machine, tiny):
        self.machine, self.tiny = machine, tiny
        self.device = machine.device
        self.why_no_cifar = self.lack_of_cifar()
        self.has_cifar = self.why_no_cifar is None
        self.cifar = machine.work / "cifar10"
        # A recipe's own encoder, unless the kit itself is tried.
        self.encoder = "resnet8" if tiny else "resnet18"
        self.large = "resnet8" if tiny else "resnet50"
        self.batches = (8, 16, 32) if tiny else (128, 512, 1024)
        self.main = self.batches[1]
        self.large_batch = 8 if tiny else 128
        self.large_pixels = 32 if tiny else 224
        # Of kNN; bfloat16 is slow on the CPU, which trials compute on.
        self.precision = "fp32" if tiny else "bf16"
        # Steps that are timed, and those before them.
        self.steps, self.warm_up = (4, 2) if tiny else (80, 20)
        self.epochs = 2 if tiny else 10

    def lack_of_cifar(self):
        """Why the runs train on rendered shapes; none where CIFAR-10 is there and can be unpacked."""
        packed = self.machine.kit / "cifar10"
        if self.tiny:
            return "tiny runs train on shapes"
        if not packed.exists():
            return "CIFAR-10 is not in this kit"
        if self.machine.torch is None:
            return f"{self.machine.python} has no torch, which unpacks CIFAR-10"
        # The first and the last of the packed files.
        if not all((packed / name).exists() for name in ("sha256.json", "test_batch.2")):
            return "only one of the two archives was unpacked here"
        return None

    def recipe(self, method):
        return ["--config", self.machine.kit / f"configs/cifar10_{method}.yaml"]

    def small_heads(self):
        """Tiny runs have tiny heads."""
        if not self.tiny:
            return {}
        return {
            "method.projection.hidden_dim": 16,
            "method.projection.output_dim": 8,
            "method.byol.predictor_hidden_dim": 16,
            "knn.k": 5,
        }

    def shapes(self, count, pixels=32):
        """The rendered data set; without classes nothing is scored, which saves time."""
        return {
            "dataset.name": "shapes",
            "dataset.options.train_size": count,
            "dataset.options.size": pixels,
            "data.limit.val": 40 if self.tiny else 200,
        }


def settings(values):
    """As the program's arguments."""
    words = {True: "true", False: "false"}
    text = {key: words[value] if isinstance(value, bool) else value for key, value in values.items()}
    return [part for key, value in text.items() for part in ("--set", f"{key}={value}")]

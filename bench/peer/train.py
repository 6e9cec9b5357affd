"""PyTorch's side of the comparison: the training step of SimCLR or BYOL, in the way that the options say.

Prints one line of JSON: images a second (an image is two views; median, least and greatest over stretches of 20 steps),
the peak of memory, and with --epochs the kNN accuracy on held-out images and the seconds up to it.
"""

import argparse
import json
import os
import statistics
import time

import torch

from data import TwoViews, training
from methods import METHODS
from views import MEAN, STD, batched

STRETCH = 20


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=METHODS, default="simclr")
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--pixels", type=int, default=32)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="fp32")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true", help="torch.compile of views and loss")
    parser.add_argument("--input", choices=["tensor", "loader"], default="tensor", help="who makes the views")
    parser.add_argument("--data", help="the folder above cifar-10-batches-bin; noise without it")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--warm-up", type=int, default=20)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--epochs", type=int, help="train so long, and score")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop measuring after these")
    return parser.parse_args()


class Peer:
    def __init__(self, options):
        self.options, self.device = options, torch.device(options.device)
        torch.manual_seed(1)
        is_tf32 = options.precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = is_tf32
        torch.backends.cudnn.benchmark = True
        self.images, self.classes, self.held_out = training(options.data, options.pixels, options.batch)
        if options.input == "tensor":
            self.images = self.images.to(self.device)
        model = METHODS[options.method](options.encoder, options.pixels <= 64).to(self.device)
        self.format = torch.channels_last if options.channels_last else torch.contiguous_format
        self.model = model.to(memory_format=self.format)
        self.optimizer = torch.optim.SGD(
            [p for p in self.model.parameters() if p.requires_grad], lr=0.06, momentum=0.9, weight_decay=model.weight_decay
        )
        wrap = torch.compile if options.compile else lambda function: function
        self.loss, self.views = wrap(self.model), wrap(batched)

    def batches(self):
        """Pairs of views on the device, one epoch of them."""
        options = self.options
        if options.input == "loader":
            for views in self.loader:
                yield [v.to(self.device, non_blocking=True) for v in views]
            return
        order = torch.randperm(len(self.images), device=self.device)
        for picked in order.split(options.batch):
            if len(picked) == options.batch:
                images = self.images[picked]
                yield [self.views(images, options.method, view, options.pixels) for view in (0, 1)]

    @property
    def loader(self):
        """Made once, so that its workers stay."""
        if not hasattr(self, "_loader"):
            options = self.options
            data = TwoViews(self.images, options.method, options.pixels)
            workers = os.cpu_count() or 1
            self._loader = torch.utils.data.DataLoader(
                data, options.batch, shuffle=True, drop_last=True, num_workers=workers, pin_memory=self.device.type == "cuda",
                persistent_workers=True, prefetch_factor=4,
            )
        return self._loader

    def step(self, views):
        views = [view.contiguous(memory_format=self.format) for view in views]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.precision == "bf16"):
            loss = self.loss(*views)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.model.after_step()

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def endless(self):
        while True:
            yield from self.batches()

    def speed(self):
        options, began = self.options, time.perf_counter()
        batches, rates, done = self.endless(), [], 0
        for _ in range(options.warm_up):
            self.step(next(batches))
        while done < options.steps and (not rates or time.perf_counter() - began < options.seconds):
            count = min(STRETCH, options.steps - done)
            self.wait()
            start = time.perf_counter()
            for _ in range(count):
                self.step(next(batches))
            self.wait()
            rates.append(count * options.batch / (time.perf_counter() - start))
            done += count
        return rates

    def epochs(self):
        """Cosine to zero; the seconds count from the first step, with compiling."""
        options, start = self.options, time.perf_counter()
        total = options.epochs * (len(self.images) // options.batch)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, total)
        rates = []
        for _ in range(options.epochs):
            began, count = time.perf_counter(), 0
            for views in self.batches():
                self.step(views)
                schedule.step()
                count += options.batch
            self.wait()
            rates.append(count / (time.perf_counter() - began))
        knn = self.knn(10, 0.1)
        # The first epoch compiles.
        return rates[1:] or rates, {"knn": knn, "training_seconds": time.perf_counter() - start}

    @torch.no_grad()
    def features(self, images):
        self.model.eval()
        mean, std = (torch.tensor(v, device=self.device).view(1, 3, 1, 1) for v in (MEAN, STD))
        parts = []
        for part in images.split(500):
            x = ((part.to(self.device).float() / 255 - mean) / std).contiguous(memory_format=self.format)
            parts.append(torch.nn.functional.normalize(self.model.encoder(x).float(), dim=1))
        self.model.train()
        return torch.cat(parts)

    def knn(self, k, temperature):
        """Accuracy on the held-out images: the k nearest by cosine vote with exp(cosine / temperature)."""
        images, classes = self.held_out
        bank, known = self.features(self.images), self.classes.to(self.device)
        right = 0
        for part, truth in zip(self.features(images).split(500), classes.to(self.device).split(500)):
            nearest = (part @ bank.T).topk(k, dim=1)
            votes = torch.zeros(len(part), 10, device=self.device)
            votes.scatter_add_(1, known[nearest.indices], (nearest.values / temperature).exp())
            right += (votes.argmax(1) == truth).sum().item()
        return right / len(classes)


def main():
    options = arguments()
    peer = Peer(options)
    rates, scores = peer.epochs() if options.epochs else (peer.speed(), {})
    memory = torch.cuda.max_memory_allocated() if options.device.startswith("cuda") else None
    print(json.dumps({
        "images_per_s": statistics.median(rates), "least": min(rates), "greatest": max(rates), "windows": len(rates),
        "peak_memory": memory, **scores,
    }))


if __name__ == "__main__":
    main()

"""One SimCLR training step in eager PyTorch: the peer that `cargo xtask bench` measures against.

The same work as host/benches/step.rs: ResNet-18 with the CIFAR stem, a two-layer projection head (512-1024-128, no batch
norm), NT-Xent at temperature 0.5 over both views in one forward, SGD with momentum 0.9 and weight decay 5e-4, on ready
float32 views. Prints images per second; one image is two views.
"""

import argparse
import time

import torch
import torch.nn.functional as F
import torchvision

parser = argparse.ArgumentParser()
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--steps", type=int, default=10)
parser.add_argument("--channels-last", action="store_true")
args = parser.parse_args()

torch.manual_seed(0)
encoder = torchvision.models.resnet18()
encoder.conv1 = torch.nn.Conv2d(3, 64, 3, padding=1, bias=False)
encoder.maxpool = torch.nn.Identity()
encoder.fc = torch.nn.Identity()
head = torch.nn.Sequential(torch.nn.Linear(512, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, 128))
model = torch.nn.Sequential(encoder, head)
views = torch.randn(2 * args.batch, 3, 32, 32)
if args.channels_last:
    model = model.to(memory_format=torch.channels_last)
    views = views.to(memory_format=torch.channels_last)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
positives = torch.arange(2 * args.batch).roll(args.batch)
mask = torch.eye(2 * args.batch, dtype=torch.bool)


def step():
    z = F.normalize(model(views), dim=1)
    loss = F.cross_entropy((z @ z.T / 0.5).masked_fill(mask, float("-inf")), positives)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss


for _ in range(2):
    step()
start = time.perf_counter()
for _ in range(args.steps):
    step()
seconds = time.perf_counter() - start
print(f"{args.batch * args.steps / seconds:.2f}")

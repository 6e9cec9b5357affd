"""Random views, in two ways: torchvision's transforms of one image, and the same operations on a batch of tensors.

The numbers are those of configs/cifar10_simclr.yaml and cifar10_byol.yaml. On a batch, each image has its own crop, flip and
strengths; the four colour operations keep one order, which torchvision (and selfsame) draws for each image: a compiler could
not fuse them otherwise. Crops are not antialiased, which is less work than ours where they are larger than the view.
"""

import math

import torch
import torch.nn.functional as F
from torchvision import transforms

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
SETTINGS = {
    "simclr": {"scale": (0.2, 1.0), "jitter": (0.4, 0.4, 0.4, 0.1), "grey": 0.1, "bicubic": False, "solarize": (0.0, 0.0)},
    "byol": {"scale": (0.08, 1.0), "jitter": (0.4, 0.4, 0.2, 0.1), "grey": 0.2, "bicubic": True, "solarize": (0.0, 0.2)},
}
RATIO = (3 / 4, 4 / 3)


def transform(method, view, pixels):
    """Of one PIL image, as a worker of a DataLoader makes it."""
    s = SETTINGS[method]
    mode = transforms.InterpolationMode.BICUBIC if s["bicubic"] else transforms.InterpolationMode.BILINEAR
    return transforms.Compose([
        transforms.RandomResizedCrop(pixels, scale=s["scale"], ratio=RATIO, interpolation=mode),
        transforms.RandomHorizontalFlip(),
        transforms.RandomApply([transforms.ColorJitter(*s["jitter"])], p=0.8),
        transforms.RandomGrayscale(p=s["grey"]),
        transforms.RandomSolarize(threshold=128, p=s["solarize"][view]),
        transforms.ToTensor(),
        transforms.Normalize(MEAN, STD),
    ])


def batched(images, method, view, pixels):
    """Of uint8 images `[n, 3, h, w]` on the device: float32 `[n, 3, pixels, pixels]`, normalised."""
    s = SETTINGS[method]
    x = crop_and_flip(images.float() / 255, s, pixels)
    n, device = x.shape[0], x.device
    jittered = x
    for operation, strength in enumerate(s["jitter"]):
        if operation == 3:
            jittered = shift_hue(jittered, uniform(n, -strength, strength, device))
        else:
            factor = uniform(n, 1 - strength, 1 + strength, device)
            jittered = (factor * jittered + (1 - factor) * other(operation, jittered)).clamp(0, 1)
    x = torch.where(chance(n, 0.8, device), jittered, x)
    x = torch.where(chance(n, s["grey"], device), grey(x), x)
    if s["solarize"][view] > 0:
        x = torch.where(chance(n, s["solarize"][view], device) & (x >= 0.5), 1 - x, x)
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (x - mean) / std


def crop_and_flip(x, s, pixels):
    """One sampling for each image: a part of the area, in one of the ratios, mirrored half of the time."""
    n, device = x.shape[0], x.device
    area, ratio = uniform(n, *s["scale"], device).flatten(), torch.exp(uniform(n, *map(math.log, RATIO), device)).flatten()
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    flip = torch.where(torch.rand(n, device=device) < 0.5, -1.0, 1.0)
    theta = torch.zeros(n, 2, 3, device=device)
    theta[:, 0, 0], theta[:, 1, 1] = width * flip, height
    theta[:, 0, 2] = (2 * torch.rand(n, device=device) - 1) * (1 - width)
    theta[:, 1, 2] = (2 * torch.rand(n, device=device) - 1) * (1 - height)
    grid = F.affine_grid(theta, [n, 3, pixels, pixels], align_corners=False)
    mode = "bicubic" if s["bicubic"] else "bilinear"
    return F.grid_sample(x, grid, mode=mode, padding_mode="reflection", align_corners=False).clamp(0, 1)


def uniform(n, low, high, device):
    return low + (high - low) * torch.rand(n, 1, 1, 1, device=device)


def chance(n, probability, device):
    return torch.rand(n, 1, 1, 1, device=device) < probability


def grey(x):
    weights = torch.tensor((0.299, 0.587, 0.114), device=x.device).view(1, 3, 1, 1)
    return (x * weights).sum(1, keepdim=True)


def other(operation, x):
    """What brightness, contrast and saturation blend with."""
    if operation == 0:
        return torch.zeros((), device=x.device)
    return grey(x).mean((2, 3), keepdim=True) if operation == 1 else grey(x)


def shift_hue(x, by):
    """To hue, saturation and value, and back with another hue."""
    red, green, blue = x.unbind(1)
    most, least = x.amax(1), x.amin(1)
    span = most - least
    safe = torch.where(span == 0, 1, span)
    hue = torch.where(
        most == red, (green - blue) / safe, torch.where(most == green, 2 + (blue - red) / safe, 4 + (red - green) / safe)
    )
    hue = (hue / 6 + by.view(-1, 1, 1)) % 1
    # Each colour is a trapezium over the circle of hues.
    offsets = torch.tensor((5.0, 3.0, 1.0), device=x.device).view(1, 3, 1, 1)
    k = (offsets + 6 * hue.unsqueeze(1)) % 6
    return most.unsqueeze(1) - span.unsqueeze(1) * torch.minimum(k, 4 - k).clamp(0, 1)

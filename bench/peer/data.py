"""Images: CIFAR-10's binary files, or noise of the same form where speed alone is asked for."""

from pathlib import Path

import torch
from PIL import Image
from torch.utils.data import Dataset

from views import transform

RECORD = 3073
HELD_OUT = 5000


def cifar(folder, files):
    """uint8 images `[n, 3, 32, 32]` and classes `[n]`."""
    content = b"".join((Path(folder) / "cifar-10-batches-bin" / f"{name}.bin").read_bytes() for name in files)
    records = torch.frombuffer(bytearray(content), dtype=torch.uint8).view(-1, RECORD)
    return records[:, 1:].reshape(-1, 3, 32, 32).contiguous(), records[:, 0].long()


def training(folder, pixels, batch):
    """Training images and classes, and 5 000 held-out ones where there are classes."""
    if folder is None:
        count = 8 * batch if pixels > 32 else 40 * batch
        return torch.randint(0, 256, (count, 3, pixels, pixels), dtype=torch.uint8), None, None
    images, classes = cifar(folder, [f"data_batch_{n}" for n in range(1, 6)])
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1))
    held, kept = order[:HELD_OUT], order[HELD_OUT:]
    return images[kept], classes[kept], (images[held], classes[held])


class TwoViews(Dataset):
    """Two of torchvision's views of each image, for a DataLoader."""

    def __init__(self, images, method, pixels):
        self.images = images.permute(0, 2, 3, 1).contiguous().numpy()
        self.transforms = [transform(method, view, pixels) for view in (0, 1)]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = Image.fromarray(self.images[index])
        return [one(image) for one in self.transforms]

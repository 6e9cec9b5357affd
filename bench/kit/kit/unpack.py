"""CIFAR-10's binary files out of what xtask/src/planes.rs has made of them: python3 unpack.py PACKED OUT, with torch.

All images of a file are done at once, one place of a plane after the other; one process for each file.
"""

import concurrent.futures
import ctypes
import hashlib
import json
import os
import struct
import sys
import zlib
from pathlib import Path

import torch

SIDE = 32
PIXELS = SIDE * SIDE
BOUNDS = [1, 3, 5, 8, 11, 15, 20, 27, 36, 50, 75]


def neighbours(image, place):
    """Left, upper and upper left pixel of all images, as integers."""
    row, column = divmod(place, SIDE)
    if place == 0:
        nothing = torch.full((image.shape[1],), 128, dtype=torch.int64)
        return nothing, nothing, nothing
    if row == 0:
        return (image[place - 1],) * 3
    if column == 0:
        return (image[place - SIDE],) * 3
    return image[place - 1], image[place - SIDE], image[place - SIDE - 1]


def plane(coded, sizes):
    """One plane, `[place, image]`; `sizes` is what remained of the plane before, and becomes that of this one."""
    count, *lengths = struct.unpack(f"<{len(BOUNDS) + 2}I", coded[: 4 * (len(BOUNDS) + 2)])
    streams, at = [], 4 * (len(BOUNDS) + 2)
    for length in lengths:
        streams.append(zlib.decompress(coded[at : at + length]))
        at += length
    remains = torch.frombuffer(bytearray(b"".join(streams)), dtype=torch.uint8).to(torch.int64)
    # Where each stream is to be read on.
    heads = torch.tensor([0] + [len(stream) for stream in streams[:-1]]).cumsum(0)
    bounds = torch.tensor(BOUNDS)
    ordinals = torch.arange(count)
    image = torch.zeros((PIXELS, count), dtype=torch.int64)
    before = sizes.clone()
    for place in range(PIXELS):
        left, up, corner = neighbours(image, place)
        least, most = torch.minimum(left, up), torch.maximum(left, up)
        slope = left + up - corner
        predicted = torch.where(corner >= most, least, torch.where(corner <= least, most, slope))
        uneven = (left - corner).abs() + (up - corner).abs() + before[place]
        stream = torch.bucketize(uneven, bounds, right=True)
        # Of the images that read from one stream, the first reads first.
        order = torch.argsort(stream, stable=True)
        counts = torch.bincount(stream, minlength=len(BOUNDS) + 1)
        within = ordinals - (counts.cumsum(0) - counts)[stream[order]]
        value = torch.empty(count, dtype=torch.int64)
        value[order] = remains[heads[stream[order]] + within]
        heads += counts
        image[place] = (predicted + value) & 255
        sizes[place] = torch.minimum(value, 256 - value)
    return image


def unpack(packed, name, out, expected):
    torch.set_num_threads(1)
    classes = (packed / f"{name}.classes").read_bytes()
    sizes = torch.zeros((PIXELS, len(classes)), dtype=torch.int64)
    planes = []
    for number in range(3):
        planes.append(plane((packed / f"{name}.{number}").read_bytes(), sizes))
    green = planes[0]
    red, blue = (((part + green - 128) & 255) for part in planes[1:])
    records = torch.empty((len(classes), 1 + 3 * PIXELS), dtype=torch.uint8)
    records[:, 0] = torch.frombuffer(bytearray(classes), dtype=torch.uint8)
    for number, colour in enumerate((red, green, blue)):
        records[:, 1 + number * PIXELS : 1 + (number + 1) * PIXELS] = colour.T
    # Without NumPy, which PyTorch may lack.
    content = ctypes.string_at(records.data_ptr(), records.numel())
    if hashlib.sha256(content).hexdigest() != expected:
        raise ValueError(f"{name}.bin has another SHA-256 than what was packed")
    (out / f"{name}.bin").write_bytes(content)
    return len(classes)


def main():
    packed, out = Path(sys.argv[1]), Path(sys.argv[2]) / "cifar-10-batches-bin"
    out.mkdir(parents=True, exist_ok=True)
    sums = json.loads((packed / "sha256.json").read_text())
    missing = [name for name in sums if not (packed / f"{name}.2").exists()]
    if missing:
        sys.exit(f"{', '.join(missing)}: not all is there; unpack the second archive in the same folder")
    names = "airplane automobile bird cat deer dog frog horse ship truck".split()
    (out / "batches.meta.txt").write_text("\n".join(names) + "\n\n")
    with concurrent.futures.ProcessPoolExecutor(min(len(sums), os.cpu_count() or 1)) as pool:
        done = [pool.submit(unpack, packed, name, out, digest) for name, digest in sums.items()]
        count = sum(one.result() for one in done)
    print(f"{count} images, SHA-256 as packed")


if __name__ == "__main__":
    main()

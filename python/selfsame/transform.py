"""From an image to what a run's encoder sees, in the numbers of ``selfsame embed``."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

if TYPE_CHECKING:
    from .run import Run

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


class Transform:
    """``transform(image)`` → float32 [C, H, W], of a path or a ``PIL.Image``.

    The program reads files that are no PNG (JPEG, DICOM, …), since no two decoders agree to the last bit. That takes a second
    a call: give many to ``files``. A ``PIL.Image`` keeps the pixels that Pillow has decoded.
    """

    def __init__(self, run: Run) -> None:
        self._run, record, config = run, run.record(), run.config()
        preprocess, stored = config["preprocess"], record.get("stored_images")
        advice = "use `run.embeddings`, which has them prepared by the program"
        if stored is None:
            raise ValueError(f"{run.path} is of an earlier version, which did not record how images are kept: {advice}")
        if preprocess["use_histogram_equalization"] or preprocess["use_clahe"]:
            raise ValueError(f"images of {run.path} are equalised (`preprocess`): {advice}")
        self.channels, self.bits, self.side = stored["channels"], stored["bit_depth"], stored["side"]
        self.expanded, *self.output = record["input_size"]
        self.frame = [preprocess["resize"]] * 2 if preprocess["resize"] else record["image_size"]
        own = record["normalization"] or {"mean": [0.0], "std": [1.0]}
        choices = {"imagenet": IMAGENET, "dataset": (own["mean"], own["std"]), "none": ([0.0], [1.0])}
        self.mean, self.std = (torch.tensor(v).view(-1, 1, 1) for v in choices[config["augmentation"]["normalize"]])

    def __call__(self, image: str | PathLike[str] | Image.Image) -> torch.Tensor:
        if not isinstance(image, Image.Image):
            try:
                with Image.open(image) as opened:
                    if opened.format == "PNG":
                        return self(opened)
            except UnidentifiedImageError:
                pass
            return self.files([image])[0]
        planes = self._reduced(self._planes(ImageOps.exif_transpose(image)))
        pixels = torch.from_numpy(planes.astype(numpy.float32)) / (2**self.bits - 1)
        (height, width), (rows, columns) = pixels.shape[1:], self.frame
        # The tighter side just fills the frame, the other one is rounded down.
        if height * columns <= width * rows:
            columns = max(rows * width // height, columns)
        else:
            rows = max(columns * height // width, rows)
        if (rows, columns) != (height, width):
            pixels = torch.nn.functional.interpolate(pixels[None], (rows, columns), mode="bilinear", antialias=True)[0]
        top, left = round((rows - self.output[0]) / 2), round((columns - self.output[1]) / 2)
        pixels = pixels[:, top : top + self.output[0], left : left + self.output[1]]
        prepared: torch.Tensor = (pixels.expand(self.expanded, -1, -1) - self.mean) / self.std
        return prepared

    def files(self, paths: Sequence[str | PathLike[str]], dataset: str | None = None, **settings: Any) -> torch.Tensor:
        """The input [N, C, H, W] of N files, read by one call of the program; the rest as in ``Run.embeddings``."""
        with tempfile.TemporaryDirectory(prefix="selfsame-") as folder:
            for at, path in enumerate(map(Path, paths)):
                (Path(folder) / f"{at:08}{path.suffix}").symlink_to(path.absolute())
            read = self._run.embeddings(on=folder, dataset=dataset, inputs=True, **settings)
        rows = {int(name[:8]): row for name, row in zip(read.ids, read.matrix())}
        return torch.from_numpy(numpy.stack([rows[at] for at in range(len(paths))])).view(-1, self.expanded, *self.output)

    def _planes(self, image: Image.Image) -> Any:
        """Whole numbers [C, H, W] with the data set's channels and bits: over black, grey by BT.601."""
        if image.mode in ("P", "PA", "1") or "transparency" in image.info:
            image = image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
        values, largest = numpy.asarray(image, dtype=numpy.float64), 65535 if image.mode[0] == "I" else 255
        values = values.reshape(*values.shape[:2], -1)
        if values.shape[2] in (2, 4):
            values = numpy.floor(values[..., :-1] * values[..., -1:] / largest + 0.5)
        if self.channels == 1 and values.shape[2] == 3:
            values = numpy.floor((values @ [299, 587, 114] + 500) / 1000)[..., None]
        values = numpy.floor(values * ((2**self.bits - 1) / largest) + 0.5)
        return numpy.broadcast_to(values.transpose(2, 0, 1), (self.channels, *values.shape[:2]))

    def _reduced(self, planes: Any) -> Any:
        """Large images as the program keeps them: rows first for 8 bits, columns first for 16, rounded after each."""
        short, long = sorted(planes.shape[1:])
        scale = min((self.side or short) / short, 4 * (self.side or long) / long, 1)
        for axis in () if scale == 1 else (1, 2) if self.bits == 8 else (2, 1):
            length = max(int(planes.shape[axis] * scale + 0.5), 1)
            planes = _resized(planes.swapaxes(axis, 2), length, self.bits).swapaxes(axis, 2)
        return planes


def _resized(planes: Any, length: int, bits: int) -> Any:
    """The last axis made shorter, in whole numbers: Keys' bicubic filter (a = −0.5), stretched by the scale; its weights have 16 bits
    where values have 8, as in Pillow-SIMD."""
    scale = planes.shape[2] / length
    if scale == 1:
        return planes
    centres = (numpy.arange(length)[:, None] + 0.5) * scale
    d = numpy.abs(numpy.arange(planes.shape[2]) + 0.5 - centres) / scale
    weights = numpy.where(d < 1, (1.5 * d - 2.5) * d * d + 1, numpy.where(d < 2, -0.5 * (((d - 5) * d + 8) * d - 4), 0))
    weights /= weights.sum(1, keepdims=True)
    if bits == 8:
        unit = 2 ** max(p for p in range(22) if p == 0 or numpy.floor(weights.max() * 2**p + 0.5) < 2**15)
        weights = numpy.sign(weights) * numpy.floor(numpy.abs(weights) * unit + 0.5) / unit
    return numpy.clip(numpy.floor(planes @ weights.T + 0.5), 0, 2**bits - 1)

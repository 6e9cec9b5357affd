"""From an image file to what a run's encoder sees, with the numbers of ``selfsame embed``."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy
import torch
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from .run import Run

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


class Transform:
    """``transform(path_or_pil_image)`` → float32 [C, H, W]; goes into torchvision's data sets as their ``transform``."""

    def __init__(self, run: Run) -> None:
        record, config = run.record(), run.config()
        preprocess, stored = config["preprocess"], record.get("stored_images")
        if stored is None:
            raise ValueError(f"{run.path} was trained by an earlier version, which did not record how images are kept: use `embeddings`")
        if preprocess["use_histogram_equalization"] or preprocess["use_clahe"]:
            raise ValueError(f"images of {run.path} are equalised (`preprocess`), which only the program does: use `embeddings`")
        self.channels, self.bits, self.stored_side = stored["channels"], stored["bit_depth"], stored["side"]
        self.expanded, self.output = record["input_size"][0], tuple(record["input_size"][1:])
        self.frame = (preprocess["resize"],) * 2 if preprocess["resize"] else tuple(record["image_size"])
        own = record["normalization"] or {"mean": [0.0], "std": [1.0]}
        choices = {"imagenet": IMAGENET, "dataset": (own["mean"], own["std"]), "none": ([0.0], [1.0])}
        mean, std = choices[config["augmentation"]["normalize"]]
        self.mean, self.std = torch.tensor(mean).view(-1, 1, 1), torch.tensor(std).view(-1, 1, 1)

    def __call__(self, image: str | PathLike[str] | Image.Image) -> torch.Tensor:
        if not isinstance(image, Image.Image):
            with Image.open(image) as opened:
                return self(opened)
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
        return (pixels.expand(self.expanded, -1, -1) - self.mean) / self.std

    def _planes(self, image: Image.Image) -> Any:
        """Whole numbers [C, H, W] with the data set's channels and bits: over black, grey by BT.601."""
        if image.mode in ("P", "PA", "1") or "transparency" in image.info:
            image = image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
        values = numpy.asarray(image, dtype=numpy.float64)
        values = values[..., None] if values.ndim == 2 else values
        largest = 65535 if image.mode.startswith("I") else 255
        if values.shape[2] in (2, 4):
            values = numpy.floor(values[..., :-1] * values[..., -1:] / largest + 0.5)
        if self.channels == 1 and values.shape[2] == 3:
            values = numpy.floor((values @ [299, 587, 114] + 500) / 1000)[..., None]
        values = numpy.floor(values * ((2**self.bits - 1) / largest) + 0.5)
        return numpy.broadcast_to(values.transpose(2, 0, 1), (self.channels, *values.shape[:2]))

    def _reduced(self, planes: Any) -> Any:
        """Large images as the program keeps them: the shorter side at most ``stored_side``, by Pillow's bicubic filter."""
        height, width = planes.shape[1:]
        side = self.stored_side or min(height, width)
        scale = min(side / min(height, width), 4 * side / max(height, width))
        if scale >= 1:
            return planes
        size = (max(int(width * scale + 0.5), 1), max(int(height * scale + 0.5), 1))
        kind = numpy.uint8 if self.bits == 8 else numpy.float32
        reduced = [Image.fromarray(plane.astype(kind)).resize(size, Image.Resampling.BICUBIC) for plane in planes]
        return numpy.clip(numpy.rint(numpy.stack([numpy.asarray(plane) for plane in reduced])), 0, 2**self.bits - 1)

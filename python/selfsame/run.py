"""The folder that ``selfsame train`` wrote, in Python. Reading it needs the standard library alone; docs/python.md shows more."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import sys
import tempfile
from array import array
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy
    import torch

    from .transform import Transform


class Score(NamedTuple):
    """A score, in [0, 1]: the mean over the seeds, their standard deviation, and the 95 % interval, where there are such."""

    value: float
    std: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of N images, with what the data set knows of each: its name, split, label and patient (group)."""

    ids: list[str]
    splits: list[str]
    classes: list[str]  #: names, in label order
    labels: list[int] | list[list[int]] | None  #: places in ``classes``; of multilabel data, N lists of 0 and 1
    groups: list[str] | None
    dim: int  #: D
    values: array[float]  #: N · D numbers, row after row

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Embeddings:
        """Reads the ``.safetensors`` file that ``selfsame embed`` wrote.

        Raises:
            ValueError: it is another file.
        """
        content = Path(path).read_bytes()
        try:
            start = 8 + int.from_bytes(content[:8], "little")
            header = json.loads(content[8:start])
            known = {name: json.loads(text) for name, text in header["__metadata__"].items() if text[0] == "["}
            arrays: dict[str, array[Any]] = {}
            for name, kinds in {"embeddings": {"F32": "f"}, "labels": {"I64": "q", "U8": "B"}}.items():
                if name in header:
                    first, end = header[name]["data_offsets"]
                    arrays[name] = array(kinds[header[name]["dtype"]], content[start + first : start + end])
            labels = arrays["labels"].tolist() if "labels" in arrays else None
            if labels is not None and len(header["labels"]["shape"]) == 2:
                width = header["labels"]["shape"][1]
                labels = [labels[at : at + width] for at in range(0, len(labels), width)]
            dim, values = header["embeddings"]["shape"][1], arrays["embeddings"]
            return cls(known["ids"], known["splits"], known["classes"], labels, known.get("groups"), dim, values)
        except (IndexError, KeyError, TypeError, ValueError) as reason:
            raise ValueError(f"{path} is no .safetensors file of `selfsame embed` ({reason!r})") from reason

    def __len__(self) -> int:
        return len(self.ids)

    def matrix(self) -> numpy.ndarray[Any, Any]:
        """The matrix, float32 [N, D]."""
        import numpy

        return numpy.asarray(self.values, dtype=numpy.float32).reshape(len(self), self.dim)


class Run:
    """A run's folder. Each call reads its files anew, so that a run under way can be watched."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        if not (self.path / "run.json").exists():
            raise FileNotFoundError(f"{self.path} holds no run; name the folder that `selfsame train --output-dir` wrote")

    def record(self) -> dict[str, Any]:
        """What ran, on what, and how it ended: ``run.json``."""
        record: dict[str, Any] = json.loads((self.path / "run.json").read_text("utf-8"))
        return record

    def config(self) -> dict[str, Any]:
        """Every value that it ran with, nested as in a run file: ``config.yaml``, as the program writes it."""
        sections: list[dict[str, Any]] = [{}]
        for line in (self.path / "config.yaml").read_text("utf-8").splitlines():
            found = re.fullmatch(r'( *)("(?:[^"\\]|\\.)*"|[^":]+):(?: (.+))?', line)
            if not found:
                raise ValueError(f"{self.path / 'config.yaml'} is not as selfsame writes it: {line!r}")
            depth, value = len(found[1]) // 2, _flow(found[3]) if found[3] else {}
            sections[depth][_flow(found[2])] = value
            sections[depth + 1 :] = [value]
        return sections[0]

    def metrics(self) -> dict[str, list[Any]]:
        """``metrics.jsonl`` as columns of one length, as ``pandas.DataFrame`` takes them: ``event`` (untrained, step, epoch or
        trained), ``step``, ``epoch``, ``time`` (text, UTC), then each metric's floats, not-a-number where a line has it not."""
        text = (self.path / "metrics.jsonl").read_text("utf-8")
        # The last line of a run under way may be half.
        lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        columns = {name: [line[name] for line in lines] for name in ("event", "step", "epoch", "time")}
        for name in sorted({name for line in lines for name in line["metrics"]}):
            values = [line["metrics"].get(name) for line in lines]
            columns[name] = [math.nan if value is None else float(value) for value in values]
        return columns

    def scores(self) -> dict[str, Score]:
        """Every score by name: those that training measured as in the metrics (``knn/val/accuracy``, ``untrained/…`` before the
        first step), those of ``selfsame evaluate`` by result and score (``linear-shapes-test/accuracy``)."""
        measured = re.compile(r"(untrained/)?(knn|linear|online)/(train|val|test)/(?!loss)")
        values = self.record()["metrics"].items()
        scores = {name: Score(value) for name, value in values if measured.match(name) and value is not None}
        for result, evaluation in self.evaluations().items():
            for name, score in evaluation["metrics"].items():
                interval = score["interval"] and (score["interval"][0], score["interval"][1])
                scores[f"{result}/{name}"] = Score(score["mean"], score["std"], interval)
        return scores

    def evaluations(self) -> dict[str, dict[str, Any]]:
        """All that ``selfsame evaluate`` found, by result: intervals, classes, confusion matrix, curves, seeds, recipe."""
        files = sorted((self.path / "evaluations").glob("[!.]*.json"))
        return {file.stem: json.loads(file.read_text("utf-8")) for file in files}

    def embeddings(
        self, split: str = "all", *, on: str | PathLike[str] | None = None, dataset: str | None = None, inputs: bool = False,
        **settings: Any,
    ) -> Embeddings:  # fmt: skip
        """Embeds a split (``train``, ``val``, ``test`` or ``all``) by ``selfsame embed``, DICOM files included.

        ``on``: a folder of new images in place of the run's data; ``dataset``: another data set plugin than the run's; ``inputs``:
        what the encoder sees in place of embeddings, D = C · H · W; ``settings``: values in place of the run's, ``**{"knn.k": 5}``.

        Raises:
            ProgramError: what the program says of run, data set or device.
        """
        from . import call

        words: list[str | PathLike[str]] = ["embed", "--quiet", self.path, "--split", split]
        words += ["--on", on] if on else []
        words += ["--dataset", dataset] if dataset else []
        words += ["--inputs"] if inputs else []
        for key, value in settings.items():
            words += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
        with tempfile.TemporaryDirectory(prefix="selfsame-") as temporary:
            out = Path(temporary) / "embeddings.safetensors"
            call(*words, "--out", out)
            return Embeddings.read(out)

    def encoder(self, form: str | None = None) -> torch.nn.Module:
        """The encoder, in eval mode on the CPU: float32 [B, C, H, W], as ``transform()`` makes them → [B, D].

        ``form``: ``timm``, a network of timm's; ``torchscript``, which needs PyTorch alone and cannot be trained on; None: timm's,
        where timm is installed and has such a network.

        Raises:
            ProgramError: what the program says of run or plugins, or that timm has no such network.
        """
        import torch

        from . import ProgramError, call

        with tempfile.TemporaryDirectory(prefix="selfsame-") as temporary:
            if form == "timm" or form is None and importlib.util.find_spec("timm"):
                try:
                    call("export", "--quiet", self.path, "--format", "timm", "--out", temporary)
                    return _of_timm(Path(temporary))
                except ProgramError:
                    if form:
                        raise
            out = Path(temporary) / "encoder.pt"
            call("export", "--quiet", self.path, "--format", "torchscript", "--out", out)
            module: torch.nn.Module = torch.jit.load(out)  # type: ignore[no-untyped-call]
            return module.eval()

    def transform(self) -> Transform:
        """What makes the encoder's input of an image. Needs PyTorch, NumPy and Pillow.

        Raises:
            ValueError: only the program can prepare this run's images; the message says why.
        """
        from .transform import Transform

        return Transform(self)


def _of_timm(folder: Path) -> torch.nn.Module:
    """The network of a folder that ``selfsame export --format timm`` wrote."""
    import timm

    known = timm.is_model(json.loads((folder / "config.json").read_text("utf-8"))["architecture"])
    if not known and (folder / "small_stem.py").exists():
        spec = importlib.util.spec_from_file_location("selfsame_small_stem", folder / "small_stem.py")
        assert spec and spec.loader
        sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[spec.name])
    model: torch.nn.Module = timm.create_model(f"local-dir:{folder}", pretrained=True)
    return model.eval()


def _flow(text: str) -> Any:
    """A value on one line: JSON, but words need no quotes, and a character may be ``\\U`` and eight digits."""

    def as_json(word: re.Match[str]) -> str:
        if word[0][0] == '"':
            return re.sub(r"\\U(.{8})|\\.", lambda c: json.dumps(chr(int(c[1], 16)))[1:-1] if c[1] else c[0], word[0])
        try:
            return json.dumps(json.loads(word[0]))
        except ValueError:
            return json.dumps(word[0])

    return json.loads(re.sub(r'"(?:[^"\\]|\\.)*"|[\w./+-]+', as_json, text))

"""Decodes DICOM films with pydicom and Pillow in worker processes: the peer of `decode.rs`.

The same work: decode, minimum to maximum on 8 bits, shorter side reduced to SIDE with Pillow's bicubic filter, pixels with
their CRC-32 written to one file and synced. Prints films per second. Start-up and imports of the workers are not counted.

    python peer_decode.py FOLDER SIDE WORKERS [DECODER]

DECODER names pydicom's decoding plugin (`pylibjpeg`, `pillow`); without it pydicom chooses.
"""

import multiprocessing
import os
import pathlib
import sys
import tempfile
import time
import zlib

import numpy
import PIL.Image
import pydicom
import pydicom.pixels

SIDE = int(sys.argv[2])
DECODER = sys.argv[4] if len(sys.argv) > 4 else ""


def film(path):
    stored = pydicom.pixels.pixel_array(path, decoding_plugin=DECODER)
    low, high = int(stored.min()), int(stored.max())
    grey = ((stored.astype(numpy.float32) - low) * (255.0 / max(high - low, 1))).round().astype(numpy.uint8)
    scale = SIDE / min(grey.shape)
    size = [round(length * scale) for length in reversed(grey.shape)]
    data = PIL.Image.fromarray(grey).resize(size, PIL.Image.Resampling.BICUBIC).tobytes()
    return data, zlib.crc32(data)


def main():
    paths = sorted(pathlib.Path(sys.argv[1]).rglob("*.dcm"))
    with multiprocessing.Pool(int(sys.argv[3])) as pool, tempfile.TemporaryFile() as store:
        pool.map(film, paths[:4], chunksize=1)
        start = time.perf_counter()
        for data, _ in pool.imap_unordered(film, paths, chunksize=4):
            store.write(data)
        store.flush()
        os.fsync(store.fileno())
        print(f"{len(paths) / (time.perf_counter() - start):.2f}")


if __name__ == "__main__":
    main()

"""CIFAR-10 from its binary version: 60,000 colour pictures in ten classes (Krizhevsky 2009)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from gradstudy.errors import CorruptDataError, NoDataError
from gradstudy.tasks.images import LabelledImages, Split

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32
_FILES = {"train": tuple(f"data_batch_{part}.bin" for part in range(1, 6)), "test": ("test_batch.bin",)}


def cifar10(folder: Path, split: Split) -> LabelledImages:
    """The images of one split, uint8, `(n, 3, 32, 32)`: 50,000 (train) or 10,000 (test) in the published files.

    A record is one byte, the label, and 3,072 bytes, the red, green and blue planes row by row. No checksum of the
    unpacked files is published, so a study cannot declare this set: only the format is checked.

    Source: Krizhevsky, Learning multiple layers of features from tiny images, 2009.

    Args:
        folder: cifar-10-batches-bin, what cifar-10-binary.tar.gz unpacks to.
        split: "train" (data_batch_1.bin to data_batch_5.bin) or "test" (test_batch.bin).

    Raises:
        NoDataError: a file is not there.
        CorruptDataError: a file is not made of such records.
    """
    records = np.concatenate([_records(folder / name) for name in _FILES[split]])
    images = torch.from_numpy(records[:, 1:].reshape(-1, *_SHAPE).copy())
    return LabelledImages("cifar-10", split, images, torch.from_numpy(records[:, 0].astype(np.int64)), len(CLASSES))


def _records(path: Path) -> np.ndarray:
    if not path.is_file():
        raise NoDataError(
            f"no file {path}",
            needed="the binary version of CIFAR-10, unpacked",
            why="the images are read from it",
            remedy="curl -O https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz && tar xf cifar-10-binary.tar.gz",
        )
    content = np.fromfile(path, dtype=np.uint8)
    if not len(content) or len(content) % _RECORD or content[::_RECORD].max() >= len(CLASSES):
        raise CorruptDataError(
            f"{path}: {len(content)} bytes",
            needed=f"records of {_RECORD} bytes that begin with a label from 0 to 9",
            why="anything else is not the binary version of CIFAR-10",
            remedy="unpack cifar-10-binary.tar.gz again",
        )
    return content.reshape(-1, _RECORD)

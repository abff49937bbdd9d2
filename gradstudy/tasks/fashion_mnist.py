"""Fashion-MNIST: 70,000 grey pictures of clothes in ten classes (Xiao, Rasul and Vollgraf 2017)."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gradstudy.errors import CorruptDataError
from gradstudy.tasks.datasets import fetch
from gradstudy.tasks.images import LabelledImages, Split

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_PREFIX = {"train": "train", "test": "t10k"}


def fashion_mnist(split: Split) -> LabelledImages:
    """The images of one split, as published: 60,000 (train) or 10,000 (test) of 28 x 28 pixels, uint8.

    Source: Xiao, Rasul and Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms,
    2017.

    Args:
        split: "train" or "test".

    Raises:
        NoDataError, CorruptDataError: see `datasets.fetch`.
    """
    files = {path.name: path for path in fetch("fashion-mnist")}
    images = read_idx(files[f"{_PREFIX[split]}-images-idx3-ubyte.gz"])
    labels = read_idx(files[f"{_PREFIX[split]}-labels-idx1-ubyte.gz"])
    return LabelledImages("fashion-mnist", split, images[:, None], labels.long(), len(CLASSES))


def read_idx(path: Path) -> Tensor:
    """The array of bytes in an idx file packed by gzip.

    The file begins with 0, 0, 8 (unsigned bytes) and the number of dimensions, then each dimension as a big-endian
    32-bit integer.

    Args:
        path: of the file.

    Returns:
        uint8, of the shape that the file says.

    Raises:
        CorruptDataError: the header is another, or the file has more or fewer bytes than it says.
    """
    with gzip.open(path) as stream:
        content = stream.read()
    start = 4 + 4 * content[3] if len(content) > 3 else 4
    shape = tuple(np.frombuffer(content[4:start], dtype=">u4").tolist()) if len(content) >= start else ()
    if content[:3] != b"\x00\x00\x08" or not shape or len(content) - start != math.prod(shape):
        raise CorruptDataError(
            f"{path}: {len(content)} bytes that begin with {content[:4].hex(' ')}, dimensions {shape}",
            needed="an idx file of unsigned bytes, as many as its dimensions say",
            why="anything else is not an array of grey levels or labels",
            remedy="get the file again",
        )
    return torch.from_numpy(np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape).copy())

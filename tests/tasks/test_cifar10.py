"""CIFAR-10.

Oracle: files of the published binary format written here record by record.
"""

from __future__ import annotations

import pytest
import torch

from gradstudy import errors
from gradstudy.tasks.cifar10 import cifar10


@pytest.fixture
def folder(tmp_path):
    """Two records a file; record r of file f has label f + r, and its planes begin with 10 f + r."""
    for f, name in enumerate(["test_batch", *(f"data_batch_{part}" for part in range(1, 6))]):
        records = [[f + r] + [10 * f + r] + [1] * 1023 + [2] * 1024 + [3] * 1023 + [4] for r in range(2)]
        (tmp_path / f"{name}.bin").write_bytes(bytes(records[0] + records[1]))
    return tmp_path


def test_records_are_a_label_and_three_planes(folder):
    train, test = cifar10(folder, "train"), cifar10(folder, "test")
    assert train.images.shape == (10, 3, 32, 32)
    assert train.images.dtype == torch.uint8
    assert train.labels.tolist() == [1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    assert test.labels.tolist() == [0, 1]
    assert train.images[:, 0, 0, 0].tolist() == [10, 11, 20, 21, 30, 31, 40, 41, 50, 51]
    assert train.images[0, :, 5, 5].tolist() == [1, 2, 3]
    assert train.images[0, 2, 31, 31] == 4


def test_missing_and_corrupt_files_are_named(folder):
    (folder / "data_batch_3.bin").unlink()
    with pytest.raises(errors.NoDataError, match=r"data_batch_3.bin"):
        cifar10(folder, "train")
    for content in (b"", bytes(3072), bytes([10]) + bytes(3072)):
        (folder / "test_batch.bin").write_bytes(content)
        with pytest.raises(errors.CorruptDataError, match=r"records of 3073 bytes"):
            cifar10(folder, "test")

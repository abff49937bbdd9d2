"""Fashion-MNIST.

Oracles: idx files written here byte by byte; the published sizes, and the pixels' mean and standard deviation as given
with torchvision's examples (0.2860 and 0.3530).
"""

from __future__ import annotations

import gzip
import hashlib
import struct
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import torch

from gradstudy import errors
from gradstudy.study.data import declared
from gradstudy.tasks import datasets
from gradstudy.tasks.datasets import REGISTRY, available, fetch
from gradstudy.tasks.fashion_mnist import CLASSES, fashion_mnist, read_idx

INSTALLED = available()["fashion-mnist"] is not None


def idx(array):
    """An array of bytes in the published format."""
    return struct.pack(f">4B{array.dim()}I", 0, 0, 8, array.dim(), *array.shape) + bytes(array.flatten().tolist())


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Four small files of the published format where Debian would put them; nothing elsewhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GRADSTUDY_DATA", raising=False)
    monkeypatch.setattr(datasets, "_DEBIAN", tmp_path / "debian")
    folder, files = tmp_path / "debian" / "fashion-mnist", {}
    folder.mkdir(parents=True)
    for name, start in zip(REGISTRY["fashion-mnist"].files, (0, 0, 7, 7), strict=True):
        array = (
            torch.arange(start, start + 3 * 4 * 5).reshape(3, 4, 5) if "images" in name else torch.tensor([9, 0, start])
        )
        content = idx(array.to(torch.uint8))
        (folder / name).write_bytes(gzip.compress(content))
        files[name] = hashlib.sha256(content).hexdigest()
    known = replace(REGISTRY["fashion-mnist"], files=files, url="http://127.0.0.1:9/")
    monkeypatch.setattr(datasets, "REGISTRY", {"fashion-mnist": known})
    return folder


@pytest.mark.parametrize(("split", "start"), [("train", 0), ("test", 7)])
def test_small_files_of_the_published_format(small, split, start):
    found = fashion_mnist(split)
    assert available() == {"fashion-mnist": small}
    assert torch.equal(found.images, torch.arange(start, start + 60).reshape(3, 1, 4, 5).to(torch.uint8))
    assert found.labels.tolist() == [9, 0, start]
    assert (found.classes, found.split) == (10, split)


def test_the_local_folder_comes_before_the_installed_one(small, tmp_path, monkeypatch):
    local = tmp_path / "local" / "fashion-mnist"
    local.mkdir(parents=True)
    for path in small.iterdir():
        # Packed at another time and level: another file, the same content.
        (local / path.name).write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1, mtime=1))
        assert (local / path.name).read_bytes() != path.read_bytes()
    monkeypatch.setenv("GRADSTUDY_DATA", str(tmp_path / "local"))
    assert {path.parent for path in fetch("fashion-mnist")} == {local}


@pytest.mark.parametrize("change", ["content", "truncated", "not gzip"])
def test_a_corrupt_file_is_named(small, change):
    path = small / "train-labels-idx1-ubyte.gz"
    packed = path.read_bytes()
    other = gzip.compress(gzip.decompress(packed)[:-1] + b"\x01")
    path.write_bytes({"content": other, "truncated": packed[:-9], "not gzip": b"<html>"}[change])
    with pytest.raises(errors.CorruptDataError, match=r"train-labels-idx1-ubyte.gz with sha256") as caught:
        fashion_mnist("train")
    assert "apt-get install -y dataset-fashion-mnist" in caught.value.remedy


def test_a_missing_file_is_named_with_the_command_that_gets_it(small):
    (small / "train-labels-idx1-ubyte.gz").unlink()
    assert available() == {"fashion-mnist": None}
    with pytest.raises(errors.NoDataError, match=r"train-labels-idx1-ubyte.gz is neither local") as caught:
        fashion_mnist("train")
    assert "apt-get install -y dataset-fashion-mnist || (curl" in caught.value.remedy


@pytest.fixture
def server(small, monkeypatch):
    """An address that serves the four files, which are no longer installed."""
    folder = small.rename(small.parent / "elsewhere")
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        Thread(target=serving.serve_forever, daemon=True).start()
        known = replace(datasets.REGISTRY["fashion-mnist"], url=f"http://127.0.0.1:{serving.server_port}/")
        monkeypatch.setattr(datasets, "REGISTRY", {"fashion-mnist": known})
        yield folder
        serving.shutdown()


def test_a_download_is_checked_by_what_it_unpacks_to(server, tmp_path):
    assert len(fashion_mnist("train")) == 3
    assert available() == {"fashion-mnist": tmp_path / "cache" / "gradstudy" / "fashion-mnist"}


def test_a_corrupt_download_is_named(server):
    (server / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"other"))
    with pytest.raises(errors.CorruptDataError, match="t10k-labels"):
        fetch("fashion-mnist")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\x00\x08", b"\x00\x00\x0d\x01\x00\x00\x00\x01a", idx(torch.zeros(2, 2, dtype=torch.uint8))[:-1]],
)
def test_files_that_are_not_idx_are_refused(tmp_path, content):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(errors.CorruptDataError, match="idx file of unsigned bytes"):
        read_idx(path)


def test_a_study_can_declare_it():
    (files,) = declared(["fashion-mnist"], "a-study").values()
    assert len(files) == 4
    assert files == REGISTRY["fashion-mnist"].files


@pytest.mark.needs_fashion_mnist
@pytest.mark.skipif(not INSTALLED, reason="apt-get install dataset-fashion-mnist")
def test_the_published_files():
    train, test = fashion_mnist("train"), fashion_mnist("test")
    assert train.images.shape == (60_000, 1, 28, 28)
    assert test.images.shape == (10_000, 1, 28, 28)
    assert len(CLASSES) == train.classes == test.classes
    assert torch.equal(torch.bincount(train.labels), torch.full((10,), 6000))
    assert torch.equal(torch.bincount(test.labels), torch.full((10,), 1000))
    pixels = train.images.double() / 255
    assert pixels.mean().item() == pytest.approx(0.2860, abs=5e-5)
    assert pixels.std().item() == pytest.approx(0.3530, abs=5e-5)
    assert train.subset(2000, seed=0).pooled(14).standardised().images.shape == (2000, 1, 14, 14)

"""Images by the name a study gives them.

Oracles: mean and variance by definition; the classes counted.
"""

from __future__ import annotations

import pytest
import torch

from gradstudy.tasks.datasets import available
from gradstudy.tasks.study_images import study_images


def check(data):
    assert tuple(data.images.shape) == (50, 1, 14, 14)
    assert float(data.images.mean()) == pytest.approx(0, abs=1e-12)
    assert float(data.images.var(correction=0)) == pytest.approx(1)
    assert torch.bincount(data.labels).tolist() == [5] * 10


def test_generated_images():
    check(study_images("gratings", 50, 14, seed=0))
    assert not torch.equal(
        study_images("gratings", 50, 14, seed=1).images, study_images("gratings", 50, 14, seed=0).images
    )


@pytest.mark.needs_fashion_mnist
@pytest.mark.skipif(available()["fashion-mnist"] is None, reason="apt-get install dataset-fashion-mnist")
def test_real_images():
    check(study_images("fashion-mnist", 50, 14, seed=0))

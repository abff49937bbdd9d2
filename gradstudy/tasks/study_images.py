"""The images that a study names, ready to be learnt from."""

from __future__ import annotations

from typing import Literal

from gradstudy.tasks.images import LabelledImages

Name = Literal["gratings", "fashion-mnist"]


def study_images(name: Name, count: int, side: int, *, seed: int) -> LabelledImages:
    """Training images, equally many of each of ten classes, standardised to mean 0 and variance 1, float64.

    Args:
        name: gratings (generated) or a real data set, pooled down to the side.
        count: of images, a multiple of 10.
        side: height and width in pixels.
        seed: of the choice or the draw.

    Raises:
        NoDataError, CorruptDataError: see `datasets.fetch`.
    """
    if name == "gratings":
        from gradstudy.tasks.gratings import Gratings

        return Gratings(classes=10, side=side).draw(count, seed=seed).standardised()
    from gradstudy.tasks.fashion_mnist import fashion_mnist

    return fashion_mnist("train").subset(count, seed=seed).pooled(side).standardised()

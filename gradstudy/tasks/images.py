"""Labelled images: what generated and real sets of images have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from gradstudy.errors import OptionError
from gradstudy.models.randomness import generator

Split = Literal["train", "test"]


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images with one class each.

    Args:
        name: of the data set, or of what generated it.
        split: train or test.
        images: `(n, channels, height, width)`; uint8, grey levels 0 to 255 as published, or float64.
        labels: `(n,)`, int64, 0 to classes - 1.
        classes: number of classes.
    """

    name: str
    split: Split
    images: Tensor
    labels: Tensor
    classes: int

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        shape = "x".join(str(size) for size in self.images.shape[1:])
        return f"LabelledImages({self.name}, {self.split}: {len(self)} images {shape}, {self.classes} classes)"

    def subset(self, count: int, *, seed: int) -> LabelledImages:
        """Random images, equally many of each class; the classes take turns.

        So the first images of a subset are the subset of fewer images with the same seed.

        Args:
            count: of images; a multiple of the number of classes.
            seed: of the choice.

        Raises:
            OptionError: `count` cannot be had in equal shares.
        """
        share, rest = divmod(count, self.classes)
        fewest = int(torch.bincount(self.labels, minlength=self.classes).min())
        if rest or not 1 <= share <= fewest:
            raise OptionError(
                f"a subset of {count} images of {self.name} ({self.split})",
                needed=f"a multiple of {self.classes}, at most {fewest * self.classes}",
                why="every class must have the same share, or the trivial error would not be that of guessing",
                remedy="take another count",
            )
        draw = generator(seed, 0, "subset")
        members = [(self.labels == label).nonzero()[:, 0] for label in range(self.classes)]
        chosen = [rows[torch.randperm(len(rows), generator=draw)][:share] for rows in members]
        rows = torch.stack(chosen, dim=1).flatten()
        return replace(self, images=self.images[rows], labels=self.labels[rows])

    def pooled(self, side: int) -> LabelledImages:
        """Every image averaged over squares of pixels, down to `side` x `side`, float64.

        Grey levels 0 to 255 become 0 to 1.

        Raises:
            OptionError: `side` does not divide height and width.
        """
        height, width = self.images.shape[2:]
        if side < 1 or height % side or width % side or height != width:
            raise OptionError(
                f"{height}x{width} images pooled to {side}x{side}",
                needed="a side that divides that of square images",
                why="the averages would be over unequal parts of the image",
                remedy=f"take a divisor of {height}",
            )
        return replace(self, images=nn.functional.avg_pool2d(_real(self.images), height // side))

    def standardised(self, like: LabelledImages | None = None) -> LabelledImages:
        """Every channel shifted and scaled to mean 0 and variance 1 over all images and pixels, float64.

        Args:
            like: take mean and variance from these images instead, as a test set takes them from its training set.
        """
        reference = _real((like or self).images)
        deviation, mean = torch.std_mean(reference, dim=(0, 2, 3), correction=0, keepdim=True)
        return replace(self, images=(_real(self.images) - mean) / deviation)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy in nats, averaged over the batch.

        Args:
            logits: `(batch, classes)`.
            labels: `(batch,)`.
        """
        return nn.functional.cross_entropy(logits, labels)

    def error(self, logits: Tensor, labels: Tensor) -> float:
        """Share of the batch whose largest logit is not that of its label."""
        return float((logits.argmax(1) != labels).double().mean())

    def trivial_loss(self) -> float:
        """Cross-entropy of the best constant prediction, the classes' frequencies here; nats an image."""
        return float(torch.special.entr(self._frequencies()).sum())

    def trivial_error(self) -> float:
        """Error of the best constant prediction."""
        return 1 - float(self._frequencies().max())

    def _frequencies(self) -> Tensor:
        return torch.bincount(self.labels, minlength=self.classes).double() / len(self)


def _real(images: Tensor) -> Tensor:
    return images.double() / 255 if images.dtype == torch.uint8 else images

"""The expression embedding of Meng and Wen 2019, section 3.1: images of the same expression near each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ....arrays import Rows
from ....errors import FacecapError
from ....images.draw import draw_text
from ....images.encode import read_image
from ....solvers.crop import PictureKind, cut
from ....solvers.whitening import Whitening
from ...data.labelled_images import LabelledImages
from ...engine.augment import Augmentation, augment
from ...engine.losses import mine_semi_hard, triplet_loss
from ...engine.training_run import FindBox

MARGIN = 0.2
"""FaceNet's; Meng and Wen leave theirs open."""
_PER_CLASS, _INFERENCE_BATCH, _DISTANCES_AT_ONCE = 4, 64, 512
_NEAR, _FAR = np.array([52.0, 28.0, 92.0]), np.array([248.0, 230.0, 60.0])


class LabelledBatch(NamedTuple):
    """Pictures (B, C, H, W) uint8 and their classes (B,)."""

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass
class EmbeddingTask:
    """Triplets of images, evaluated by how far classes lie apart for persons kept for validation.

    An item is an anchor; the rest of its batch is drawn so that classes come back.

    Attributes:
        network: whitened pictures to unit vectors.  pictures: (S, C, H, W) uint8.  labels: (S,) index into `classes`.
        is_validation: (S,) bool, images that are only evaluated on.
        mining: "semi-hard" or "random" (the paper's).
    """

    network: nn.Module
    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    is_validation: NDArray[np.bool_]
    whitening: Whitening
    limits: Augmentation
    mining: str = "semi-hard"
    device: str = "cpu"
    monitor: str = "within_over_between"

    def __post_init__(self) -> None:
        self._train_rows, self._validation_rows = (
            np.flatnonzero(~self.is_validation),
            np.flatnonzero(self.is_validation),
        )
        labels = self.labels[self._train_rows]
        if len(np.unique(labels)) < 2 or np.bincount(labels).max() < 2:
            raise FacecapError(
                "There are too few images: a triplet needs two of one expression and one of another.", "Add some."
            )

    @property
    def items(self) -> int:
        return len(self._train_rows)

    def load_batch(self, items: Rows) -> LabelledBatch:
        # Each anchor brings its class: batches of few classes hold pairs to mine from.
        random = np.random.default_rng(items.tolist())
        labels = self.labels[self._train_rows]
        free = np.ones(len(labels), bool)  # no picture comes twice: a pair of the same one teaches nothing
        chosen: list[int] = []
        for item in items[: max(2, len(items) // _PER_CLASS)]:
            anchor = [int(item)] if free[item] else []
            free[item] = False
            same = np.flatnonzero(free & (labels == labels[item]))
            drawn = random.choice(same, min(_PER_CLASS - len(anchor), len(same)), replace=False)
            free[drawn] = False
            chosen += [*anchor, *drawn.tolist()]
        rows = self._train_rows[np.array(chosen)]
        return LabelledBatch(self.pictures[rows], self.labels[rows])

    def compute_loss(
        self, network: nn.Module, batch: LabelledBatch, strength: float, generator: torch.Generator
    ) -> Tensor:
        pictures = torch.from_numpy(batch.pictures).to(self.device).float() / 255
        found = network(self.whitening(augment(pictures, self.limits, strength, generator))).float()
        labels = torch.from_numpy(batch.labels).to(self.device)
        if self.mining == "semi-hard":
            a, p, n = mine_semi_hard(found, labels, MARGIN)
        else:
            a, p, n = _draw_triplets(labels, generator)
        if not len(a):
            return found.sum() * 0.0  # every triplet of the batch is learned already
        return triplet_loss(found[a], found[p], found[n], MARGIN)

    def embed_images(self, rows: Rows) -> NDArray[np.float32]:
        """(B, 128) of images."""
        return embed(self.network, self.whitening, lambda part: self.pictures[part], rows, self.device)

    def evaluate(self) -> dict[str, float]:
        if not len(self._validation_rows):
            return {}
        within, between = measure_distances(
            self.embed_images(self._validation_rows), self.labels[self._validation_rows]
        )
        return {"within_over_between": within / max(between, 1e-9), "within": within, "between": between}

    def draw_preview(self) -> NDArray[np.uint8]:
        rows = self._validation_rows if len(self._validation_rows) else self._train_rows
        return draw_distance_matrix(self.embed_images(rows), self.labels[rows], self.classes)


def embed(
    network: nn.Module, whitening: Whitening, pictures: Callable[[Rows], NDArray[np.uint8]], rows: Rows, device: str
) -> NDArray[np.float32]:
    """(B, D) embeddings of pictures, some at a time."""
    found = []
    with torch.no_grad():
        for first in range(0, len(rows), _INFERENCE_BATCH):
            part = torch.from_numpy(pictures(rows[first : first + _INFERENCE_BATCH])).to(device).float() / 255
            found.append(network(whitening(part)).float().cpu().numpy())
    return np.concatenate(found)


def measure_distances(embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Mean distance within classes and between them."""
    sums, counts = _add_up_distances(embeddings, labels, int(labels.max(initial=-1)) + 1)
    within, pairs = np.trace(sums), np.trace(counts)
    between, others = sums.sum() - within, counts.sum() - pairs
    return float(within / pairs) if pairs else 0.0, float(between / others) if others else 0.0


def measure_distance_matrix(
    embeddings: NDArray[np.float32], labels: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """(C, C) mean distance between images of two classes, of different images on the diagonal (figures 6 and 19)."""
    sums, counts = _add_up_distances(embeddings, labels, classes)
    return np.divide(sums, counts, out=np.full((classes, classes), np.nan), where=counts > 0)


def _add_up_distances(
    embeddings: NDArray[np.float32], labels: NDArray[np.int64], classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(C, C) sum of the distances between different images of two classes, and how many pairs there are.

    Some images at a time: memory stays flat however many there are.
    """
    points = embeddings.astype(np.float64)
    squared = (points**2).sum(1)
    of_class = np.eye(classes)[labels]
    sums = np.zeros((classes, classes))
    for first in range(0, len(points), _DISTANCES_AT_ONCE):
        part = slice(first, first + _DISTANCES_AT_ONCE)
        apart = np.sqrt(np.maximum(squared[part, None] + squared - 2 * points[part] @ points.T, 0))
        apart[np.arange(len(apart)), first + np.arange(len(apart))] = 0
        sums += of_class[part].T @ (apart @ of_class)
    sizes = of_class.sum(0)
    return sums, np.outer(sizes, sizes) - np.diag(sizes)


def draw_distance_matrix(
    embeddings: NDArray[np.float32], labels: NDArray[np.int64], classes: tuple[str, ...]
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: the matrix of mean distances, dark where expressions lie near each other."""
    matrix = measure_distance_matrix(embeddings, labels, len(classes))
    cell, left = max(12, min(28, 640 // len(classes))), 150
    out = np.full((cell * len(classes) + 8, left + cell * len(classes) + 8, 3), 250, np.uint8)
    high = np.nanmax(matrix) if np.isfinite(matrix).any() else 1.0
    share = np.nan_to_num(matrix / max(float(high), 1e-9), nan=0.5)[..., None]
    colored = np.round(_NEAR + share * (_FAR - _NEAR)).astype(np.uint8)
    big = colored.repeat(cell, axis=0).repeat(cell, axis=1)
    out[: big.shape[0], left : left + big.shape[1]] = big
    for i, name in enumerate(classes):
        place = (4, i * cell + cell // 2 + 4)
        draw_text(out, place, name[:20], 12, (40, 40, 40))
    return out


def crop_labelled_images(
    images: LabelledImages, kind: PictureKind, find_box: FindBox
) -> tuple[NDArray[np.uint8], LabelledImages, list[str]]:
    """Pictures of labelled images, the face cut out of each; those without a face are left out and named.

    Args:
        find_box: crop of an RGB picture in its parts, or None if it shows no face.
    """
    found: list[NDArray[np.uint8]] = []
    kept: list[int] = []
    notes: list[str] = []
    for i, path in enumerate(images.paths):
        picture = read_image(path)
        box = None if picture is None else find_box(picture)
        if picture is None or box is None:
            notes.append(f"{path.name}: {'cannot be read' if picture is None else 'no face is seen'}; it is not used.")
            continue
        found.append(cut(picture, box, kind))
        kept.append(i)
    if not found:
        raise FacecapError("None of the images shows a face.", "Look at the folder.")
    rows = np.array(kept)
    some = replace(
        images, paths=tuple(images.paths[i] for i in kept), label=images.label[rows], person=images.person[rows]
    )
    return np.stack(found), some, notes


def _draw_triplets(labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """A random positive and negative for each picture, as in the paper."""
    same = labels[:, None] == labels[None]
    alone = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    chance = torch.rand(same.shape, generator=generator).to(labels.device)
    positive = torch.where(same & ~alone, chance, -1.0).max(1)
    negative = torch.where(~same, chance, -1.0).max(1)
    good = (positive.values >= 0) & (negative.values >= 0)
    return torch.nonzero(good)[:, 0], positive.indices[good], negative.indices[good]

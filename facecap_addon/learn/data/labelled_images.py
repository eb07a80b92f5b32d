"""Images sorted into folders by what the face does, for the expression embedding.

Two layouts are understood: LABEL/PICTURE, where a picture's name begins with the person's (anna_01.png); and
FaceWarehouse's, PERSON/FOLDER/LABEL.png, where the same picture names come back in every person's folder.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import FacecapError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class LabelledImages:
    """Labelled pictures.

    Attributes:
        paths: of S pictures.  label: (S,) int, index into `classes`.  person: (S,) int, index into `persons`.
    """

    paths: tuple[Path, ...]
    label: NDArray[np.int64]
    person: NDArray[np.int64]
    classes: tuple[str, ...]
    persons: tuple[str, ...]


def find_labelled_images(folder: Path) -> LabelledImages:
    """Find the images under a folder. Raises FacecapError if there are none, or only one class."""
    if not folder.is_dir():
        raise FacecapError(f"There is no folder {folder}.", "Check the path.")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
    if not paths:
        raise FacecapError(f"{folder} holds no pictures.", "Sort images into one folder per expression.")
    tops = [path.relative_to(folder).parts[0] for path in paths]
    if any(len(path.relative_to(folder).parts) < 2 for path in paths):
        raise FacecapError(f"{folder} holds pictures outside of folders.", "Sort them into one folder per expression.")
    often = Counter(path.stem for path in paths)
    deep = all(len(path.relative_to(folder).parts) > 2 for path in paths)
    by_person = deep and len(set(tops)) > 1 and np.mean([often[path.stem] > 1 for path in paths]) > 0.5
    labels = [path.stem for path in paths] if by_person else tops
    persons = tops if by_person else [path.stem.split("_")[0] for path in paths]
    classes, label = np.unique(labels, return_inverse=True)
    people, person = np.unique(persons, return_inverse=True)
    if len(classes) < 2:
        raise FacecapError(
            f"All images under {folder.name} show the same expression, {classes[0]}.",
            "An embedding learns what tells expressions apart: add folders of others.",
        )
    return LabelledImages(
        tuple(paths),
        label.astype(np.int64),
        person.astype(np.int64),
        tuple(str(c) for c in classes),
        tuple(str(p) for p in people),
    )


def select_validation_images(images: LabelledImages, share: float = 0.15) -> NDArray[np.bool_]:
    """(S,) which images are for validation: those of the last persons, at least one where there are two or more."""
    count = len(images.persons)
    validation = 0 if count < 2 else max(1, round(share * count))
    return images.person >= count - validation

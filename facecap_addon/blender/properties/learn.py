"""What a training is asked, and which set it is of."""

from __future__ import annotations

import bpy

from ...jobs.settings.train import TrainSettings
from .declare import PATH_OPTIONS, BoolProperty, FloatProperty, FloatVectorProperty, StringProperty, with_properties
from .derive import annotations_of

# A training's paths have their usual places; threads and checkpoints are the command line's.
_NOT_DERIVED = ("folder", "out", "labelled_images", "threads", "checkpoint_minutes", "tensorboard", "seed", "batch")


@with_properties(annotations_of(TrainSettings, skip=_NOT_DERIVED))
class FACECAP_PG_learn(bpy.types.PropertyGroup):
    """One property for every field of TrainSettings that is a matter of choice."""

    network: str
    distil: bool
    preset: str
    folder: str = StringProperty(
        name="Training Set",
        description="Folder of the training set; if empty, it is kept with FaceCap's other files",
        subtype="DIR_PATH",
        options=PATH_OPTIONS,
    )
    labelled_images: str = StringProperty(
        name="Labeled Images",
        description="Folder of images sorted by expression; if empty, expressions are found in the footage",
        subtype="DIR_PATH",
        options=PATH_OPTIONS,
    )
    draw_seconds: float = FloatProperty(
        name="Render (s)", description="How many seconds of the character Add Renders adds", default=60.0, min=2.0
    )
    side: bool = BoolProperty(
        name="Side Camera",
        description="Also render from the side, where a jaw that is pushed forward is seen",
        default=False,
    )
    use_crop: bool = BoolProperty(
        name="Custom Crop",
        description="Set the rectangle that the network sees; off: found automatically",
        default=False,
    )
    crop: bpy.types.bpy_prop_array[float] = FloatVectorProperty(
        name="Crop",
        description="Left, top, width and height of what the network sees, as fractions of the picture",
        size=4,
        default=(0.2, 0.1, 0.6, 0.8),
        min=-1.0,
        max=2.0,
        precision=3,
        step=1,
    )


CLASSES = (FACECAP_PG_learn,)

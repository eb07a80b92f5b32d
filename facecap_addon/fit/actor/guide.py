"""What an actor is asked to hold in a calibration; nothing but words, so that a panel can show them."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import FacecapError

NEUTRAL = "neutral"


def _sides(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}{side}" for name in names for side in ("Left", "Right"))


@dataclass(frozen=True)
class Expression:
    """What the actor is asked to hold.

    Attributes:
        name: as it is called in marks and reports.  meant: ARKit channels that it should bring to 1.
        natural: channels that may come with it; no error of the fit is seen in them.
    """

    name: str
    meant: tuple[str, ...]
    natural: tuple[str, ...] = ()


_MOUTH_AROUND = _sides("mouthStretch", "mouthDimple", "mouthSmile", "cheekSquint", "noseSneer")
GUIDE: tuple[Expression, ...] = (
    Expression(NEUTRAL, ()),
    Expression("teeth", _sides("mouthUpperUp", "mouthLowerDown"), ("jawOpen", *_MOUTH_AROUND, *_sides("eyeSquint"))),
    Expression("wide eyes", _sides("eyeWide"), ("browInnerUp", *_sides("browOuterUp", "eyeLookUp", "eyeLookDown"))),
    Expression("shut eyes", _sides("eyeBlink"), _sides("eyeSquint", "cheekSquint", "eyeLookDown", "browDown")),
    Expression("brows up", ("browInnerUp", *_sides("browOuterUp")), _sides("eyeWide", "eyeLookUp", "eyeLookDown")),
    Expression("brows down", _sides("browDown"), _sides("eyeSquint", "cheekSquint", "noseSneer", "eyeLookDown")),
    Expression(
        "smile",
        _sides("mouthSmile"),
        ("jawOpen", *_sides("cheekSquint", "eyeSquint", "mouthDimple", "mouthStretch", "mouthUpperUp", "noseSneer")),
    ),
    Expression("kiss", ("mouthPucker",)),
    Expression("puff", ("cheekPuff",), ("mouthShrugLower", "mouthRollLower", *_sides("mouthPress"))),
    Expression("sneer", _sides("noseSneer"), _sides("browDown", "mouthUpperUp", "cheekSquint", "eyeSquint")),
    Expression("jaw left", ("jawLeft",), ("mouthLeft", "jawOpen")),
    Expression("jaw right", ("jawRight",), ("mouthRight", "jawOpen")),
    Expression("jaw forward", ("jawForward",), ("jawOpen", "mouthShrugLower")),
    Expression("tongue", ("tongueOut",), ("jawOpen", "mouthFunnel", *_sides("mouthLowerDown"))),
)
"""The calibration's expressions, in the order of the guide in docs/actor.md."""


def expression_named(name: str) -> Expression:
    """The expression of that name, whatever its case. Raises FacecapError if the guide has none."""
    wanted = " ".join(name.lower().replace("_", " ").replace("-", " ").split())
    for one in GUIDE:
        if one.name == wanted:
            return one
    raise FacecapError(
        f"The calibration knows no expression called {name!r}.", f"Use {', '.join(one.name for one in GUIDE)}."
    )

"""Unity's animation clips (.anim): curves of a SkinnedMeshRenderer's blend shapes, 0 to 100, as Unity writes YAML."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ...atomic_file import atomic_path
from ...errors import FacecapError
from .curves import Curves

_RENDERER = 137
_PLAIN = re.compile(r"[A-Za-z_][\w./ -]*(?<! )")


def write_unity_clip(path: Path, curves: Curves, name: str, mesh: str, fps: float) -> int:
    """Write curves as a clip; tangents make them straight from key to key.

    Args:
        name: of the clip.  mesh: path of the mesh below the object with the Animator, as "Body/Face"; "" if it has it.
        fps: what the clip shows as its sample rate; keys lie at their own times.
    Returns:
        keys per curve.
    Raises:
        FacecapError: no frame shows a face; the disk is full or the folder cannot be written.
    """
    seen = curves.seen
    count = len(seen.time_s)
    if not count:
        raise FacecapError("The take holds no frame with a face.", "Solve again with other footage or another range.")
    time_s = seen.time_s - seen.time_s[0] if seen.time_s[0] < 0 else seen.time_s
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(_HEAD.format(name=_quote(name)))
        for k, curve in enumerate(seen.names):
            values = 100.0 * seen.values[:, k].astype(np.float64)
            slopes = np.diff(values) / np.diff(time_s) if count > 1 else np.zeros(0)
            into = np.concatenate([slopes[:1], slopes]) if count > 1 else np.zeros(1)
            out = np.concatenate([slopes, slopes[-1:]]) if count > 1 else np.zeros(1)
            stream.write("  - serializedVersion: 2\n    curve:\n      serializedVersion: 2\n      m_Curve:\n")
            for time, value, before, after in zip(time_s, values, into, out, strict=True):
                stream.write(_KEY.format(time=time, value=value, before=before, after=after))
            stream.write(_CURVE.format(shape=_quote(f"blendShape.{curve}"), path=_quote(mesh), kind=_RENDERER))
        stream.write(_TAIL.format(fps=fps, stop=float(time_s[-1])))
    return count


def _quote(text: str) -> str:
    """A YAML scalar."""
    if not text or _PLAIN.fullmatch(text):
        return text
    return "'" + text.replace("'", "''").replace("\n", " ") + "'"


_HEAD = """%YAML 1.1
%TAG !u! tag:unity3d.com,2011:
--- !u!74 &7400000
AnimationClip:
  m_ObjectHideFlags: 0
  m_CorrespondingSourceObject: {{fileID: 0}}
  m_PrefabInstance: {{fileID: 0}}
  m_PrefabAsset: {{fileID: 0}}
  m_Name: {name}
  serializedVersion: 6
  m_Legacy: 0
  m_Compressed: 0
  m_UseHighQualityCurve: 1
  m_RotationCurves: []
  m_CompressedRotationCurves: []
  m_EulerCurves: []
  m_PositionCurves: []
  m_ScaleCurves: []
  m_FloatCurves:
"""
_KEY = """      - serializedVersion: 3
        time: {time:.9g}
        value: {value:.9g}
        inSlope: {before:.9g}
        outSlope: {after:.9g}
        tangentMode: 69
        weightedMode: 0
        inWeight: 0.33333334
        outWeight: 0.33333334
"""
_CURVE = """      m_PreInfinity: 2
      m_PostInfinity: 2
      m_RotationOrder: 4
    attribute: {shape}
    path: {path}
    classID: {kind}
    script: {{fileID: 0}}
"""
_TAIL = """  m_PPtrCurves: []
  m_SampleRate: {fps:g}
  m_WrapMode: 0
  m_Bounds:
    m_Center: {{x: 0, y: 0, z: 0}}
    m_Extent: {{x: 0, y: 0, z: 0}}
  m_ClipBindingConstant:
    genericBindings: []
    pptrCurveMapping: []
  m_AnimationClipSettings:
    serializedVersion: 2
    m_AdditiveReferencePoseClip: {{fileID: 0}}
    m_AdditiveReferencePoseTime: 0
    m_StartTime: 0
    m_StopTime: {stop:.9g}
    m_OrientationOffsetY: 0
    m_Level: 0
    m_CycleOffset: 0
    m_HasAdditiveReferencePose: 0
    m_LoopTime: 0
    m_LoopBlend: 0
    m_LoopBlendOrientation: 0
    m_LoopBlendPositionY: 0
    m_LoopBlendPositionXZ: 0
    m_KeepOriginalOrientation: 0
    m_KeepOriginalPositionY: 1
    m_KeepOriginalPositionXZ: 0
    m_HeightFromFeet: 0
    m_Mirror: 0
  m_EditorCurves: []
  m_EulerEditorCurves: []
  m_HasGenericRootTransform: 0
  m_HasMotionFloatCurves: 0
  m_Events: []
"""

"""Who asked for a job: kept jobs name their operator, as scripts call it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from .. import session
    from ..operators.job_operator import JobOperator


def operator_of(job: session.Job) -> type[JobOperator]:
    """The operator that asked for a job, and knows what to do with its result."""
    return getattr(bpy.types, _class_name(job.operator))


def is_known(operator: str) -> bool:
    """Whether there is such an operator: a job may have been kept by another version of FaceCap."""
    return hasattr(bpy.types, _class_name(operator))


def _class_name(operator: str) -> str:
    return operator.replace("facecap.", "FACECAP_OT_")

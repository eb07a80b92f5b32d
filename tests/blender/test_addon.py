"""Enabling and disabling the add-on."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import bpy
import pytest

from facecap_addon import addon
from facecap_addon.blender.properties.declare import with_properties
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
ENABLE = """
import os, sys
import bpy
sys.path.insert(0, {root!r})
for name in [name for name in sys.modules if name.split(".")[0] == "numpy"]:
    del sys.modules[name]  # Blender 4.2 does not load it by itself
before = set(sys.modules)
from facecap_addon import addon
addon.register()
print("NEW", *sorted(set(sys.modules) - before))
addon.unregister()
sys.stdout.flush()
os._exit(0)  # bpy 4.2 crashes when it exits after any property had a callback
"""


def test_enabling_imports_nothing_heavy_and_little_else() -> None:
    """What makes enabling quick; how quick it is on a machine says `python -m benchmarks.enabling`."""
    command = [sys.executable, "-c", ENABLE.format(root=str(ROOT))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    new = next(line for line in done.stdout.splitlines() if line.startswith("NEW ")).split()[1:]
    assert "facecap_addon.addon" in new
    assert not {"numpy", "scipy", "PIL", "onnxruntime", "av", "torch"} & set(new)
    registered = {f"facecap_addon.blender.{name}" for name in addon.MODULES}
    assert len(set(new) - registered) < 96  # beside what has to be there because it is registered


def test_register_and_unregister_leave_nothing_behind() -> None:
    addon.unregister()
    assert not hasattr(bpy.types.Scene, "facecap")
    assert not hasattr(bpy.types, "FACECAP_PT_solve")
    addon.register()
    assert bpy.context.scene.facecap.start_frame == 1
    addon.register()  # twice does no harm: Blender's "reload scripts" does it
    assert hasattr(bpy.types, "FACECAP_PT_solve")


def test_a_failure_takes_back_what_was_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addon, "MODULES", (*addon.MODULES, "no_such_module"))
    with pytest.raises(ModuleNotFoundError):
        addon.register()
    assert not hasattr(bpy.types.Scene, "facecap")
    assert not hasattr(bpy.types, "FACECAP_OT_solve")
    monkeypatch.undo()
    addon.register()
    assert hasattr(bpy.types.Scene, "facecap")


def test_importing_the_root_shim_imports_nothing() -> None:
    code = (
        "import importlib.util, sys; "
        f"spec = importlib.util.spec_from_file_location('shim', {str(ROOT / '__init__.py')!r}); "
        "module = importlib.util.module_from_spec(spec); before = set(sys.modules); spec.loader.exec_module(module); "
        "assert set(sys.modules) == before and module.register and module.unregister"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE_S)


def test_every_solve_setting_of_choice_is_in_the_panel_group() -> None:
    from facecap_addon.blender.properties.derive import values_of
    from facecap_addon.jobs.settings.solve import SolveSettings
    from facecap_addon.settings_schema import fields_of, from_json

    group = bpy.context.scene.facecap.solve
    names = set(group.bl_rna.properties.keys())
    for item in fields_of(SolveSettings):
        if item.name in ("whole_frames", "reduce_keys"):  # how keys are baked, which may be chosen anew after the solve
            assert item.name in set(bpy.context.scene.facecap.bake.bl_rna.properties.keys())
        elif item.kind in ("bool", "float") and item.name not in ("blend", "live_link", "report", "sensor_mm"):
            assert item.name in names
            said = item.tooltip or item.help.replace("if not given", "off")  # it has a box there
            assert group.bl_rna.properties[item.name].description == said
    given = values_of(group, SolveSettings) | {"video": "a.mp4", "out": "out"}
    settings = from_json(SolveSettings, given)
    assert settings == SolveSettings(video=Path("a.mp4"), out=Path("out"))
    group.use_neutral_frame, group.neutral_frame, group.smoothness = True, 17, 2.5
    changed = from_json(SolveSettings, values_of(group, SolveSettings) | {"video": "a.mp4", "out": "out"})
    assert (changed.neutral_frame, changed.smoothness) == (17, 2.5)


def test_properties_have_the_types_that_their_classes_declare() -> None:
    """Type checkers believe the declarations; Blender has its own."""
    from facecap_addon.blender.properties import settings

    sources = [path.read_text(encoding="utf-8") for path in Path(settings.__file__).parent.glob("*.py")]
    groups = {group.__name__: group for group in bpy.types.PropertyGroup.__subclasses__()}
    plain = {"BOOLEAN": "bool", "INT": "int", "FLOAT": "float", "STRING": "str", "ENUM": "str"}
    declared = 0
    for node in [node for text in sources for node in ast.parse(text).body]:
        if not isinstance(node, ast.ClassDef):
            continue
        for line in node.body:
            if not isinstance(line, ast.AnnAssign):
                continue
            name, said = ast.unparse(line.target), ast.unparse(line.annotation)
            made = groups[node.name].bl_rna.properties[name]
            if made.type == "POINTER":
                assert made.fixed_type.identifier == said.removeprefix("bpy.types.").removesuffix(" | None"), name
            elif made.type == "COLLECTION":
                assert said == f"bpy.types.bpy_prop_collection_idprop[{made.fixed_type.identifier}]"
            else:
                kind = plain[made.type]
                array = getattr(made, "is_array", False)
                assert said == (f"bpy.types.bpy_prop_array[{kind}]" if array else kind), name
            declared += 1
    assert declared > 60
    with pytest.raises(TypeError, match=r"Wrong\.fps"):

        @with_properties()
        class Wrong:
            fps: float

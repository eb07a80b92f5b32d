"""Renders a .blend with Workbench: `python workbench_picture.py FILE.blend FOLDER` writes depth and alpha as EXR.

A process of its own: without a graphics driver, software or not, Blender ends the whole process.
"""

from __future__ import annotations

import sys

import bpy


def main(blend: str, folder: str) -> None:
    bpy.ops.wm.open_mainfile(filepath=blend)
    scene = bpy.context.scene
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.film_transparent = True
    scene.display.render_aa = "OFF"
    scene.view_layers[0].use_pass_z = True
    scene.use_nodes = True
    nodes, links = scene.node_tree.nodes, scene.node_tree.links
    nodes.clear()
    layers, out = nodes.new("CompositorNodeRLayers"), nodes.new("CompositorNodeOutputFile")
    out.base_path = folder
    out.format.file_format, out.format.color_depth = "OPEN_EXR", "32"
    out.file_slots[0].path = "depth"
    out.file_slots.new("alpha")
    for i, name in enumerate(("Depth", "Alpha")):
        links.new(layers.outputs[name], out.inputs[i])
    bpy.ops.render.render()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

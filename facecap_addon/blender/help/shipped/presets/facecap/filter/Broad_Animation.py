import bpy

chosen = bpy.context.scene.facecap.filter

chosen.filter = "hybrid"
chosen.cutoff_hz = 2.5

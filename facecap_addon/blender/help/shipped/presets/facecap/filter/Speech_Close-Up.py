import bpy

chosen = bpy.context.scene.facecap.filter

chosen.filter = "hybrid"
chosen.cutoff_hz = 8.0

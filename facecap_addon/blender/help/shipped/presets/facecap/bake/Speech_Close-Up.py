import bpy

bake = bpy.context.scene.facecap.bake

bake.mode = "new"
bake.gain = 1.0
bake.whole_frames = False

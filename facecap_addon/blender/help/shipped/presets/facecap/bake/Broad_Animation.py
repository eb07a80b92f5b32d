import bpy

bake = bpy.context.scene.facecap.bake

bake.mode = "new"
bake.gain = 1.35
bake.whole_frames = True

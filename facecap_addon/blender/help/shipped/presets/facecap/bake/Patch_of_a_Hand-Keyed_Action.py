import bpy

bake = bpy.context.scene.facecap.bake

bake.mode = "mix"
bake.influence = 1.0
bake.gain = 1.0
bake.whole_frames = True

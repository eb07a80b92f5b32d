import bpy

solve = bpy.context.scene.facecap.solve

solve.smoothness = 2.5
solve.gaze = True
solve.adapt = True
solve.match = "look"

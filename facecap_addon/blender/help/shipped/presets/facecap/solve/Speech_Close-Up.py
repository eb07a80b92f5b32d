import bpy

solve = bpy.context.scene.facecap.solve

solve.smoothness = 0.7
solve.gaze = True
solve.adapt = True
solve.match = "look"

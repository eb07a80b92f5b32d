"""Deep energies: pose and expression by comparing what networks see in the footage and in renders of the character.

Bao, Wu, Yao and Fedkiw, "Deep Energies for Estimating Three-Dimensional Facial Pose and Expression", 2018. Needs torch;
nothing here is imported by Blender's own process.
"""

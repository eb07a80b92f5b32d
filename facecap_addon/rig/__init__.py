"""What is animated: blendshape rigs, channel names, landmarks on a mesh."""

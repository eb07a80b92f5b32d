"""The FaceCap tab in the 3D viewport's sidebar."""

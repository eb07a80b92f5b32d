"""Pictures to vertices by a linear map of what FaceCap's landmark network has learned to see."""

"""The landmark network inside the refinement: differentiated, on many crops."""

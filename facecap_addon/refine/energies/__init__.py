"""The terms that a refinement minimises, and their derivatives."""

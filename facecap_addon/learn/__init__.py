"""Learned solvers: networks trained on one actor, from footage to vertices or weights. Needs torch."""

"""A differentiable renderer of few primitives: rasterise, interpolate, shade, antialias. Needs torch.

The manner is nvdiffrast's (Laine et al., "Modular Primitives for High-Performance Differentiable Rendering", 2020):
which triangle a pixel sees is found without derivatives; everything after that is differentiable in both modes.
Batches are over frames; one mesh topology for all of them.
"""

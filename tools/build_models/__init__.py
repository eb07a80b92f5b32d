"""Builds the landmark networks: the pinned MediaPipe wheel in, ONNX files and torch graphs out."""

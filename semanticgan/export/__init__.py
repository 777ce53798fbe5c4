"""Models for programs without PyTorch: ONNX."""

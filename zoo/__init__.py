"""What each network is, and how to get it as ONNX."""

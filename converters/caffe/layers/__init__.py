"""One file a layer family: Caffe's semantics in numpy, the converter, and tiny cases for the tests.

``CASES`` lists (parameter text, bottom shape) pairs; the tests run each in numpy, ONNX Runtime and OpenCV.
"""

"""One file a layer family: Caffe's semantics in numpy, the converter, and tiny cases for the tests.

``CASES`` lists (parameter text, bottom shape) pairs. With several bottoms a tuple of shapes stands for the one shape,
and with other than one top their number follows: ``("", ((2, 7), (2, 5)), 3)``. The tests run each case in numpy, ONNX
Runtime and OpenCV. ``POSITIVE``, where a family has it, lists the weights (by index) that are never negative.
"""

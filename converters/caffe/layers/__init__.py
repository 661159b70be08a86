"""One file a layer family: Caffe's semantics in numpy, the converter, and tiny cases for the tests.

``CASES`` lists (parameter text, bottom shape) pairs. With several bottoms a tuple of shapes stands for the one shape,
and with other than one top their number follows: ``("", ((2, 7), (2, 5)), 3)``. The tests run each case in numpy, ONNX
Runtime and OpenCV. ``JUDGE`` says who knows the right answers where Caffe itself has no such layer: ``OpenCV 4``, whose
importer has it, or ``numpy``. ``GAPS`` lists what a runtime cannot run: (runtime, major version, part of the case as
the tests name it, why).
"""

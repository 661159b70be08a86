"""One file a layer family: the converter, and tiny cases for the tests, which run each one in Keras itself.

A family file has a docstring, ``CASES``, and functions marked ``@layer("Conv2D", "Convolution2D")`` that take
``(op: Layer, emit: Emit)`` and return the `Tensor` (or several) that the layer makes.

``CASES`` are tuples ``(class name, settings, input shape)``, such as ``("Conv2D", {"filters": 4, "kernel_size": 3},
(7, 9, 3))``. The shape is Keras's without the batch, every axis of another length; for several inputs it is a list of
shapes. The settings are what the class of ``keras.layers`` takes. The tests build a model of each, fill its weights
with seeded numbers, save it in each format, convert it and compare with Keras, at several batch sizes.

``GAPS`` lists what a runtime cannot run: (runtime, major version, class name, why).

In a converter:

- Settings: ``op.integer("filters", "nb_filter")``, ``op.integers(.., count=2)``, ``op.flag``, ``op.number``,
  ``op.choice``, ``op.axes``, or ``op.setting`` for anything else. All names that Keras ever had, newest first. A
  setting that nobody reads and that is not known to be harmless is `Unsupported`, so nothing is overlooked.
- Weights: ``op.weight("kernel", shape)``, in the order of the file. What a layer leaves unread is `BadInput`.
- Inputs: ``op.input`` (one) or ``op.inputs``. ``t.shape`` is Keras's, None for the batch (and for unknown sizes);
  ``t.order[i]`` is the Keras axis that ONNX axis i holds; ``t.axis(k)`` is the ONNX axis of Keras axis k.
  ``emit.channels(t, last=op.channels_last())`` brings the channels to axis 1, ``emit.plain(t)`` gives Keras's own
  layout; both add a node only where they must. ``emit.unfolded(t)`` does so for a flattened tensor only.
- Nodes: ``emit.node("Relu", (t.name,))`` returns a tensor name; ``t.named(name)`` and ``emit.made(name, shape, order)``
  make a `Tensor` of it. ``emit.constant("kernel", array)``; ``emit.along(t, axis, values)`` is a constant that
  broadcasts along a Keras axis, in the order the tensor has it; ``emit.affine(t, axis, factors, shifts)`` is folded
  into the convolution before it where that is exact; ``emit.reshape(t, shape)`` is Keras's Reshape without moving
  anything where it can. The last node is named after the layer.
- ``activate(op, emit, t, op.setting("activation"))`` from ``layers/activation.py`` for ``activation=`` of any layer.
- ``op.bad(..)`` and ``op.unsupported(.., known)`` are the errors. ``op.call`` has what is passed by name (list it in
  ``@layer(.., call=("mask",))``), ``op.args`` all that is passed by position, tensors as `Tensor`.
"""

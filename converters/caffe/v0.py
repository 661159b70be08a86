"""Networks of 2013, the V0 age, made V1 as Caffe itself makes them.

A V0 layer has all its fields side by side, in a ``layer`` block inside ``layers``. Padding was a layer of its own then:
it goes into the convolution or pooling that reads it. Caffe leaves out what it cannot place; here that is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from converters.caffe.messages import V1_TYPES
from converters.caffe.schema import Found, messages
from converters.errors import BadInput, Unsupported

UNCHANGED = """
    accuracy bnll concat data dropout euclidean_loss flatten hdf5_data hdf5_output im2col infogain_loss lrn
    multinomial_logistic_loss relu sigmoid softmax softmax_loss split tanh window_data
"""
RENAMED_TYPES = {"conv": "CONVOLUTION", "images": "IMAGE_DATA", "innerproduct": "INNER_PRODUCT", "pool": "POOLING"}
TYPES = {name: list(V1_TYPES).index(name.upper()) for name in UNCHANGED.split()}
TYPES |= {name: list(V1_TYPES).index(v1_name) for name, v1_name in RENAMED_TYPES.items()}
"""The names that types had, and their numbers in V1."""

BLOCKS = {
    "concat": "concat_param",
    "conv": "convolution_param",
    "data": "data_param",
    "dropout": "dropout_param",
    "hdf5_data": "hdf5_data_param",
    "images": "image_data_param",
    "infogain_loss": "infogain_loss_param",
    "innerproduct": "inner_product_param",
    "lrn": "lrn_param",
    "pool": "pooling_param",
    "window_data": "window_data_param",
}
"""Where the fields of a layer went."""

TRANSFORM = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror"}
"""The fields of any layer that went into ``transform_param``, and their names there."""

RENAMED = {
    "batchsize": "batch_size",
    "biasterm": "bias_term",
    "det_bg_threshold": "bg_threshold",
    "det_context_pad": "context_pad",
    "det_crop_mode": "crop_mode",
    "det_fg_fraction": "fg_fraction",
    "det_fg_threshold": "fg_threshold",
    "kernelsize": "kernel_size",
    "shuffle_images": "shuffle",
}


def upgrade(path: Path, net: Any, layers: Sequence[Found]) -> Sequence[Found]:
    """Return the layers as V1 has them; those of a later age as they are.

    Raises BadInput for what Caffe refuses or leaves out, Unsupported for a layer type that is not known.
    """
    if not any(_is_v0(layer.message) for layer in layers):
        return layers
    if net.input_shape:
        raise BadInput(f"{path}: has input_shape, which Caffe leaves out beside V0 layers; give 4 input_dim an input")
    makers: dict[str, Found] = {}
    upgraded = []
    for old in layers:
        new = _upgraded(old)
        for bottom in old.message.bottom:
            if bottom in makers and makers[bottom].message.layer.type == "padding":
                _pad(new, makers[bottom])
        makers |= dict.fromkeys(old.message.top, old)
        if old.message.layer.type != "padding":
            upgraded.append(new)
    return upgraded


def _is_v0(message: Any) -> bool:
    return "layer" in message.DESCRIPTOR.fields_by_name and message.HasField("layer")


def _upgraded(old: Found) -> Found:
    """Return the layer as V1 has it; a padding layer has no type there."""
    layer = old.message.layer
    where = f"{old.place}: layer {layer.name!r} ({layer.type})"
    for field, _ in old.message.ListFields():
        if field.name not in ("layer", "bottom", "top"):
            raise BadInput(f"{where}: {field.name}, which Caffe leaves out of a V0 layer; take it out")
    if layer.type not in (*TYPES, "padding"):
        known = ", ".join(sorted([*TYPES, "padding"]))
        raise Unsupported(f"{where}: no such layer type is known in a network of the V0 age; known are: {known}")
    old.check(where)
    new = messages()["V1LayerParameter"](name=layer.name, bottom=old.message.bottom, top=old.message.top)
    new.blobs.extend(layer.blobs)
    if layer.type in TYPES:
        new.type = TYPES[layer.type]
    for field, value in layer.ListFields():
        if field.name not in ("name", "type", "blobs", "blobs_lr", "weight_decay"):
            _place(new, layer.type, field.name, value, where)
    return Found(new, old.place, lambda where: None)


def _place(new: Any, type_name: str, name: str, value: Any, where: str) -> None:
    """Put the value of a V0 field where V1 has it. Raises BadInput when that type of layer has no such field."""
    if name == "pad" and type_name == "padding":
        return
    block = new.transform_param if name in TRANSFORM else getattr(new, BLOCKS.get(type_name, ""), None)
    if type_name == "hdf5_output" and name == "hdf5_output_param":
        block = new
    wanted = TRANSFORM.get(name) or RENAMED.get(name, name)
    if block is None or wanted not in block.DESCRIPTOR.fields_by_name:
        raise BadInput(f"{where}: {name}, which Caffe leaves out of a layer of that type; take it out")
    present = getattr(block, wanted)
    if hasattr(present, "append"):
        present.append(value)
    elif hasattr(present, "CopyFrom"):
        present.CopyFrom(value)
    else:
        setattr(block, wanted, value)


def _pad(new: Found, padding: Found) -> None:
    """Put a padding layer into the one that reads it. Raises BadInput where Caffe refuses that."""
    source, message = padding.message, new.message
    where = f"{new.place}: layer {message.name!r}"
    if message.type not in (TYPES["conv"], TYPES["pool"]):
        raise BadInput(f"{where}: reads the padding layer {source.layer.name!r}; only conv and pool layers may")
    if len(message.bottom) != 1 or len(source.bottom) != 1 or len(source.top) != 1:
        raise BadInput(f"{where}: it and the padding layer {source.layer.name!r} need one bottom each, and one top")
    if message.type == TYPES["conv"]:
        message.convolution_param.pad[:] = [source.layer.pad]
    else:
        message.pooling_param.pad = source.layer.pad
    message.bottom[0] = source.bottom[0]

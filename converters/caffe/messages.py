"""Caffe's file format as protobuf message classes, built from short tables of field numbers.

A layer family brings the table of its own parameter block, so a new layer needs no change here. Field numbers of forks
clash: each block here has the number that most files use, and the weights are read without any of these classes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Field = descriptor_pb2.FieldDescriptorProto

SCALARS = {
    "bool": Field.TYPE_BOOL,
    "double": Field.TYPE_DOUBLE,
    "float": Field.TYPE_FLOAT,
    "int32": Field.TYPE_INT32,
    "int64": Field.TYPE_INT64,
    "string": Field.TYPE_STRING,
    "uint32": Field.TYPE_UINT32,
}

ENUMS = {
    "Phase": "TRAIN TEST",
    "Engine": "DEFAULT CAFFE CUDNN",
    "DimCheckMode": "STRICT PERMISSIVE",
    "VarianceNorm": "FAN_IN FAN_OUT AVERAGE",
    "NormalizationMode": "FULL VALID BATCH_SIZE NONE",
    "V0PoolMethod": "MAX AVE STOCHASTIC",
    "DB": "LEVELDB LMDB",
    "HingeNorm": "L1=1 L2",
}
"""Names in the order of their numbers, from 0; ``NAME=4`` goes on from 4."""

V1_TYPES = dict(
    pair.split("=")
    for pair in re.findall(
        r"\S+",
        """
    NONE=None ACCURACY=Accuracy BNLL=BNLL CONCAT=Concat CONVOLUTION=Convolution DATA=Data DROPOUT=Dropout
    EUCLIDEAN_LOSS=EuclideanLoss FLATTEN=Flatten HDF5_DATA=HDF5Data HDF5_OUTPUT=HDF5Output IM2COL=Im2col
    IMAGE_DATA=ImageData INFOGAIN_LOSS=InfogainLoss INNER_PRODUCT=InnerProduct LRN=LRN
    MULTINOMIAL_LOGISTIC_LOSS=MultinomialLogisticLoss POOLING=Pooling RELU=ReLU SIGMOID=Sigmoid SOFTMAX=Softmax
    SOFTMAX_LOSS=SoftmaxWithLoss SPLIT=Split TANH=TanH WINDOW_DATA=WindowData ELTWISE=Eltwise POWER=Power
    SIGMOID_CROSS_ENTROPY_LOSS=SigmoidCrossEntropyLoss HINGE_LOSS=HingeLoss MEMORY_DATA=MemoryData ARGMAX=ArgMax
    THRESHOLD=Threshold DUMMY_DATA=DummyData SLICE=Slice MVN=MVN ABSVAL=AbsVal SILENCE=Silence
    CONTRASTIVE_LOSS=ContrastiveLoss EXP=Exp DECONVOLUTION=Deconvolution
    """,
    )
)
"""The old enum names in the order of their numbers (0 to 39), and the name of the same layer today."""

TABLES = {
    "NetParameter": """
        1 string name; 2 V1LayerParameter* layers; 3 string* input; 4 int32* input_dim; 5 bool force_backward
        6 NetState state; 7 bool debug_info; 8 BlobShape* input_shape; 100 LayerParameter* layer
    """,
    "NetState": "1 Phase phase = TEST; 2 int32 level = 0; 3 string* stage",
    "NetStateRule": "1 Phase phase; 2 int32 min_level; 3 int32 max_level; 4 string* stage; 5 string* not_stage",
    "LayerParameter": """
        1 string name; 2 string type; 3 string* bottom; 4 string* top; 5 float* loss_weight; 6 ParamSpec* param
        7 BlobProto* blobs; 8 NetStateRule* include; 9 NetStateRule* exclude; 10 Phase phase; 11 bool* propagate_down
        100 TransformationParameter transform_param; 101 LossParameter loss_param; 143 InputParameter input_param
    """,
    "V1LayerParameter": """
        1 V0LayerParameter layer; 2 string* bottom; 3 string* top; 4 string name; 5 LayerType type; 6 BlobProto* blobs
        7 float* blobs_lr; 8 float* weight_decay; 32 NetStateRule* include; 33 NetStateRule* exclude
        35 float* loss_weight; 36 TransformationParameter transform_param; 42 LossParameter loss_param
        1001 string* param; 1002 DimCheckMode* blob_share_mode
    """,
    "V0LayerParameter": """
        1 string name; 2 string type; 3 uint32 num_output; 4 bool biasterm; 5 FillerParameter weight_filler
        6 FillerParameter bias_filler; 7 uint32 pad; 8 uint32 kernelsize; 9 uint32 group; 10 uint32 stride
        11 V0PoolMethod pool; 12 float dropout_ratio; 13 uint32 local_size; 14 float alpha; 15 float beta
        16 string source; 17 float scale; 18 string meanfile; 19 uint32 batchsize; 20 uint32 cropsize; 21 bool mirror
        22 float k; 50 BlobProto* blobs; 51 float* blobs_lr; 52 float* weight_decay; 53 uint32 rand_skip
        54 float det_fg_threshold; 55 float det_bg_threshold; 56 float det_fg_fraction; 58 uint32 det_context_pad
        59 string det_crop_mode; 60 int32 new_num; 61 int32 new_channels; 62 int32 new_height; 63 int32 new_width
        64 bool shuffle_images; 65 uint32 concat_dim; 1001 hdf5_output_param hdf5_output_param
    """,
    "ParamSpec": "1 string name; 2 DimCheckMode share_mode; 3 float lr_mult = 1; 4 float decay_mult = 1",
    "FillerParameter": """
        1 string type = constant; 2 float value = 0; 3 float min = 0; 4 float max = 1; 5 float mean = 0; 6 float std = 1
        7 int32 sparse = -1; 8 VarianceNorm variance_norm = FAN_IN
    """,
    "TransformationParameter": """
        1 float scale = 1; 2 bool mirror; 3 uint32 crop_size = 0; 4 string mean_file; 5 float* mean_value
        6 bool force_color; 7 bool force_gray
    """,
    "LossParameter": "1 int32 ignore_label; 2 bool normalize; 3 NormalizationMode normalization = VALID",
    "InputParameter": "1 BlobShape* shape",
    "BlobShape": "1 int64* dim",
    "BlobProto": """
        1 int32 num; 2 int32 channels; 3 int32 height; 4 int32 width; 5 float* data; 6 float* diff; 7 BlobShape shape
        8 double* double_data; 9 double* double_diff
    """,
}
"""One entry a field: number, type (``*``: repeated), name, default. A type that is no scalar is an enum or a table."""


@dataclass(frozen=True)
class Parameter:
    """A layer family's parameter block: its name, field number in a V2 layer and in a V1 layer, and table of fields.

    ``number`` is None for a block of a fork that is known from text only. ``enums`` holds the block's own enums, as
    ``ENUMS`` does. Families that share a block bring the same one.
    """

    name: str
    number: int | None
    v1_number: int | None
    table: str
    enums: Mapping[str, str] | None = None
    tables: Mapping[str, str] | None = None


EXTRA = tuple(
    Parameter(name, int(number), int(v1_number) or None, table)
    for name, number, v1_number, table in (
        block.split(maxsplit=3)
        for block in """
    accuracy_param 102 27 1 uint32 top_k = 1; 2 int32 axis = 1; 3 int32 ignore_label

    contrastive_loss_param 105 40 1 float margin = 1; 2 bool legacy_version

    data_param 107 11 1 string source; 2 float scale = 1; 3 string mean_file; 4 uint32 batch_size; 5 uint32 crop_size
        6 bool mirror; 7 uint32 rand_skip; 8 DB backend; 9 bool force_encoded_color; 10 uint32 prefetch = 4

    dummy_data_param 109 26 1 FillerParameter* data_filler; 2 uint32* num; 3 uint32* channels; 4 uint32* height
        5 uint32* width; 6 BlobShape* shape

    hdf5_data_param 112 13 1 string source; 2 uint32 batch_size; 3 bool shuffle

    hdf5_output_param 113 14 1 string file_name

    hinge_loss_param 114 29 1 HingeNorm norm

    image_data_param 115 15 1 string source; 2 float scale = 1; 3 string mean_file; 4 uint32 batch_size = 1
        5 uint32 crop_size; 6 bool mirror; 7 uint32 rand_skip; 8 bool shuffle; 9 uint32 new_height
        10 uint32 new_width; 11 bool is_color = true; 12 string root_folder

    infogain_loss_param 116 16 1 string source; 2 int32 axis = 1

    memory_data_param 119 22 1 uint32 batch_size; 2 uint32 channels; 3 uint32 height; 4 uint32 width

    window_data_param 129 20 1 string source; 2 float scale = 1; 3 string mean_file; 4 uint32 batch_size
        5 uint32 crop_size; 6 bool mirror; 7 float fg_threshold = 0.5; 8 float bg_threshold = 0.5
        9 float fg_fraction = 0.25; 10 uint32 context_pad; 11 string crop_mode = warp; 12 bool cache_images
        13 string root_folder

    python_param 130 0 1 string module; 2 string layer; 3 string param_str; 4 bool share_in_parallel
    """.strip().split("\n\n")
    )
)
"""The blocks of layers that only training has: they are read, so that files with such layers can be, and not used."""

FREE_NUMBERS = 20000
"""From here on no fork has a field."""


def build_messages(parameters: Iterable[Parameter]) -> dict[str, type[Any]]:
    """Return message classes by name; ``parameters`` are the parameter blocks of all layers.

    Raises ValueError for two blocks or enums that are called the same and differ, or that have the same number.
    """
    tables, enums, free = dict(TABLES), ENUMS | {"LayerType": " ".join(V1_TYPES)}, count(FREE_NUMBERS)
    blocks: dict[str, Parameter] = {}
    for block in parameters:
        if block.name in blocks and blocks[block.name] != block:
            raise ValueError(f"two different blocks {block.name}: {blocks[block.name]} and {block}")
        blocks[block.name] = block
    for name, block in blocks.items():
        tables |= {name: block.table, **(block.tables or {})}
        for enum, values in (block.enums or {}).items():
            if enums.setdefault(enum, values) != values:
                raise ValueError(f"two different enums {enum}: {enums[enum]!r}, and {values!r} of {name}")
        tables["LayerParameter"] += f"; {next(free) if block.number is None else block.number} {name} {name}"
        if block.v1_number is not None:
            tables["V1LayerParameter"] += f"; {block.v1_number} {name} {name}"
    file = descriptor_pb2.FileDescriptorProto(name="network.proto", package="caffe", syntax="proto2")
    for name, values in enums.items():
        enum_type = file.message_type.add(name=name).enum_type.add(name="Type")  # a scope of its own: NONE occurs twice
        enum_type.value.extend(_values(values))
    for name, table in tables.items():
        file.message_type.add(name=name).field.extend(_fields(name, table, enums))
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}")) for name in tables}


def _values(names: str) -> Iterator[descriptor_pb2.EnumValueDescriptorProto]:
    number = 0
    for word in names.split():
        name, _, own = word.partition("=")
        number = int(own or number)
        yield descriptor_pb2.EnumValueDescriptorProto(name=name, number=number)
        number += 1


def _fields(message: str, table: str, enums: Mapping[str, str]) -> list[descriptor_pb2.FieldDescriptorProto]:
    taken: dict[int, str] = {}
    fields = [_field(row, enums) for row in table.replace(";", "\n").split("\n") if row.strip()]
    for field in fields:
        if other := taken.get(field.number):
            raise ValueError(f"{message}: {other} and {field.name} both have the number {field.number}")
        taken[field.number] = field.name
    return fields


def _field(row: str, enums: Mapping[str, str]) -> descriptor_pb2.FieldDescriptorProto:
    declaration, _, default = row.partition("=")
    number, kind, name = declaration.split()
    label = Field.LABEL_REPEATED if kind.endswith("*") else Field.LABEL_OPTIONAL
    kind = kind.rstrip("*")
    field = Field(name=name, number=int(number), label=label)
    if default:
        field.default_value = default.strip()
    if kind in SCALARS:
        field.type = SCALARS[kind]
        field.options.packed = label == Field.LABEL_REPEATED and kind != "string"
    elif kind in enums:
        field.type, field.type_name = Field.TYPE_ENUM, f".caffe.{kind}.Type"
    else:
        field.type, field.type_name = Field.TYPE_MESSAGE, f".caffe.{kind}"
    return field

"""Caffe's file format as protobuf message classes, built from short tables of field numbers.

A layer family brings the table of its own parameter block, so a new layer needs no change here. Weights are declared as
bytes: a packed list of floats and a string of bytes look the same on the wire, and 45 MB are then read without a copy
per number. The ``plain`` classes declare the numbers themselves: for text, and for files whose lists are not packed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Field = descriptor_pb2.FieldDescriptorProto

SCALARS = {
    "bool": Field.TYPE_BOOL,
    "bytes": Field.TYPE_BYTES,
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
}
"""Names in the order of their numbers, from 0."""

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
        2 string* bottom; 3 string* top; 4 string name; 5 LayerType type; 6 BlobProto* blobs; 7 float* blobs_lr
        8 float* weight_decay; 32 NetStateRule* include; 33 NetStateRule* exclude; 35 float* loss_weight
        36 TransformationParameter transform_param; 42 LossParameter loss_param; 1001 string* param
        1002 DimCheckMode* blob_share_mode
    """,
    "ParamSpec": "1 string name; 2 DimCheckMode share_mode; 3 float lr_mult = 1; 4 float decay_mult = 1",
    "FillerParameter": """
        1 string type; 2 float value = 0; 3 float min = 0; 4 float max = 1; 5 float mean = 0; 6 float std = 1
        7 int32 sparse = -1; 8 VarianceNorm variance_norm = FAN_IN
    """,
    "TransformationParameter": """
        1 float scale = 1; 2 bool mirror; 3 uint32 crop_size = 0; 4 string mean_file; 5 float* mean_value
        6 bool force_color; 7 bool force_gray
    """,
    "LossParameter": "1 int32 ignore_label; 2 bool normalize; 3 NormalizationMode normalization = VALID",
    "InputParameter": "1 BlobShape* shape",
    "BlobShape": "1 int64* dim",
    "BlobProto": "1 int32 num; 2 int32 channels; 3 int32 height; 4 int32 width; 7 BlobShape shape",
}
"""One entry a field: number, type (``*``: repeated), name, default. A type that is no scalar is an enum or a table."""

BLOB_DATA = {
    False: "5 bytes* data; 6 bytes* diff; 8 bytes* double_data; 9 bytes* double_diff",
    True: "5 float* data; 6 float* diff; 8 double* double_data; 9 double* double_diff",
}
"""How a blob's numbers are declared: as bytes, or (``plain``) as what they are."""


@dataclass(frozen=True)
class Parameter:
    """A layer family's parameter block: its name, field number in a V2 layer and in a V1 layer, and table of fields.

    ``enums`` holds the block's own enums, as ``ENUMS`` does.
    """

    name: str
    number: int
    v1_number: int | None
    table: str
    enums: Mapping[str, str] | None = None


def build_messages(parameters: Sequence[Parameter], *, plain: bool) -> dict[str, type[Any]]:
    """Return message classes by name; ``parameters`` are the parameter blocks of all layers."""
    tables = dict(TABLES)
    tables["BlobProto"] += ";" + BLOB_DATA[plain]
    enums = ENUMS | {"LayerType": " ".join(V1_TYPES)}
    for parameter in parameters:
        tables[parameter.name] = parameter.table
        enums |= parameter.enums or {}
        tables["LayerParameter"] += f"; {parameter.number} {parameter.name} {parameter.name}"
        if parameter.v1_number is not None:
            tables["V1LayerParameter"] += f"; {parameter.v1_number} {parameter.name} {parameter.name}"
    file = descriptor_pb2.FileDescriptorProto(name="network.proto", package="caffe", syntax="proto2")
    for name, values in enums.items():
        enum = file.message_type.add(name=name).enum_type.add(name="Type")  # a scope of its own: NONE occurs twice
        for number, value in enumerate(values.split()):
            enum.value.add(name=value, number=number)
    for name, table in tables.items():
        fields = file.message_type.add(name=name).field
        fields.extend(_field(row, enums) for row in table.replace(";", "\n").split("\n") if row.strip())
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}")) for name in tables}


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
    elif kind in enums:
        field.type, field.type_name = Field.TYPE_ENUM, f".caffe.{kind}.Type"
    else:
        field.type, field.type_name = Field.TYPE_MESSAGE, f".caffe.{kind}"
    return field

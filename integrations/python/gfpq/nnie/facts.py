"""What is publicly known of HiSilicon's nnie_mapper: its input, its rules, its dumps. Everything that this package
builds on it takes from here.

None of it was tried with the mapper or on a board. The accounts are MQBench's documentation and deploy code, a vision
company's guide to its tools, and the porting notes of TextBoxes++, YOLO and face recognition. Each fact says whether
two of them agree.
"""

from __future__ import annotations

from dataclasses import dataclass

TWO = "two or more public accounts agree"
ONE = "one public account"
GUESS = "not told anywhere: our guess"


@dataclass(frozen=True)
class Rule:
    """A rule of the mapper, and how sure it is."""

    text: str
    certainty: str


LAYERS = Rule("a layer of Caffe 1.0, or a known extension", ONE)
CAFFE_LAYERS = frozenset([
    "Input", "Convolution", "Deconvolution", "InnerProduct", "Pooling", "ReLU", "PReLU", "ELU", "Sigmoid", "TanH",
    "AbsVal", "BNLL", "Power", "Exp", "Log", "Concat", "Eltwise", "Scale", "Bias", "BatchNorm", "Softmax", "Reshape",
    "Flatten", "Slice", "Split", "Crop", "LRN", "MVN", "Dropout", "Reduction", "SPP", "Tile", "ArgMax", "Threshold",
    "LSTM", "RNN",
])  # fmt: skip
EXTENSIONS = frozenset([
    "Upsample", "DepthwiseConv", "Permute", "Normalize", "PassThrough", "PSROIPooling", "ROIPooling", "CReLU",
    "RReLU",
])  # fmt: skip
ON_THE_CPU = frozenset(["Proposal", "Custom"])  # run on the CPU, by the user's code
OF_TRAINING = frozenset([
    "Data", "ImageData", "HDF5Data", "DummyData", "MemoryData", "WindowData", "HDF5Output", "Accuracy",
    "SoftmaxWithLoss", "EuclideanLoss", "SigmoidCrossEntropyLoss", "ContrastiveLoss", "HingeLoss", "InfogainLoss",
    "MultinomialLogisticLoss", "Silence", "Quant", "Python",
])  # fmt: skip

ONE_INPUT = Rule("one input, of a batch of 1", ONE)
PERMUTE = Rule("Permute with the order 0,2,3,1 only", ONE)
PERMUTE_ORDER = (0, 2, 3, 1)
POOLING = Rule("Pooling rounds its output's size up", ONE)
UPSAMPLE = Rule("Upsample by 2 only, to the nearest", ONE)
UPSAMPLE_SCALE = 2
SIZES = Rule("kernel sizes, strides and dilations 1 to 255, pads 0 to 255", ONE)
LARGEST_SIZE = 255
DIMENSIONS = Rule("dimensions up to 4096", ONE)  # "most dimensions"
LARGEST_DIMENSION = 4096
GROUPS = Rule("up to 2048 groups", ONE)
MOST_GROUPS = 2048
BATCH_AXIS = Rule("no layer touches the batch axis", ONE)
POWERS = Rule("Power with an exponent of -3, -2, -1, -1/2, 1/2, 1, 2 or 3", ONE)
EXPONENTS = (-3.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0)
DEPTHWISE = Rule("depthwise convolution costs accuracy and speed", TWO)
BATCHNORM = Rule("BatchNorm and Scale are best folded into the convolution", TWO)

# The file of `[key] value` lines. Its values are numbers where the mapper has numbers.
NET_TYPE_CNN = 0
IMAGE_TYPE_FEATURE_MAP, IMAGE_TYPE_PICTURE = 0, 1
NORM_NONE, NORM_CHANNEL_MEANS, NORM_SCALE, NORM_MEANS_AND_SCALE = 0, 2, 3, 5  # first the mean, then the scale
NORM_MEAN_PICTURE, NORM_MEAN_PICTURE_AND_SCALE = 1, 4
DEFAULT_SCALE = 1 / 256
COMPILE_8_BIT, COMPILE_16_BIT, COMPILE_MIXED = 0, 1, 2
HIGH_PRECISION = "_hp"  # the end of a layer's name that makes it 16 bit in COMPILE_MIXED
LOW_PRECISION = "_8"  # put behind that of another layer
REPORT = "_report"  # the end of a top's name that makes it an output of the network
LEAST_PICTURES, MOST_PICTURES = 20, 50
LOG_WITH_DUMPS = 3

KEYS: dict[str, tuple[str, str]] = {  # key: what it is, how sure
    "prototxt_file": ("the network", ONE),
    "caffemodel_file": ("its weights", ONE),
    "net_type": ("0 CNN, 1 with ROI layers, 2 recurrent", ONE),
    "batch_num": ("samples at a time", ONE),
    "sparse_rate": ("share of weights that may be set to zero", ONE),
    "compile_mode": ("0: 8 bit; 1: 16 bit everywhere; 2: 16 bit in the layers whose names end in _hp", TWO),
    "is_simulation": ("0 for the board, 1 for the simulator", ONE),
    "log_level": ("3 writes the folder mapper_quant/, which `python -m gfpq nnie compare` reads", ONE),
    "instruction_name": ("the .wk file that comes out; [instructions_name] in some versions", ONE),
    "internal_stride": ("not told what it is: left to the mapper", ONE),
    "RGB_order": ("the order of the channels that the network wants", ONE),
    "data_scale": ("what is multiplied after the mean was subtracted; 1/256 where it is not set", ONE),
    "image_list": ("20 to 50 pictures of the real scene, one path a line; of feature maps one tensor a line", ONE),
    "image_type": ("0 feature map or vector, 1 8-bit picture, 3 YUV420SP, 5 YUV422SP", ONE),
    "norm_type": (
        "0 none, 1 mean picture, 2 channel means, 3 scale, 4 mean picture and scale, 5 channel means and scale", ONE
    ),
    "mean_file": ("for norm_type 2 and 5 one number a line, for 1 and 4 Caffe's .binaryproto; null where unused", ONE),
    "gfpq_param_file": (
        "in newer versions the ranges of the layers' inputs; its layout is not public, nnie.json has "
        "MQBench's: one clip value a group of a convolution, one an input of Concat and Eltwise", ONE
    ),
}  # fmt: skip
MEAN_ORDER = Rule("the means stand in the order of the network's channels", GUESS)

# The folder mapper_quant/, of the last picture in image_list: numbers one a line, in NCHW order.
DUMPS = Rule("the names of mapper_quant's files, with / as _, and their numbers", ONE)
SIGN_8 = 0x80  # sign and magnitude; 0x80, minus zero, is the number 0 (TWO)
SIGN_16 = (0x8000, 0x1000)  # 1.5.7 are 13 bits: the sign at the word's top, or above the code (GUESS: not told)
OUTPUT_STEPS = 4096  # 20.12, 32 bit, two's complement (TWO)
WEIGHT_HEX, WEIGHT_FLOAT = "_weight.hex", "_weight-anti.float"
BIAS_HEX = "_bias.hex"  # 24.0: by what it is scaled is not told
INPUT_HEX, INPUT_FLOAT = "_quant.nonlinear.hex", "_anti_quant.linear.float"
OUTPUT_HEX = "_quant.linear.hex"

UPSAMPLE_PERMUTES = Rule("the mapper makes a second layer NAME_permute_N of an Upsample", ONE)

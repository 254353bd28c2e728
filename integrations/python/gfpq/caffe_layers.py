"""The types of Caffe's layers, by what NNIE quantizes of them."""

from __future__ import annotations

# NNIE's name first, then those of Caffe's forks.
DEPTHWISE = ("DepthwiseConv", "DepthwiseConvolution", "ConvolutionDepthwise")
CONVOLUTIONS = ("Convolution", "Deconvolution", *DEPTHWISE)
WEIGHTED = (*CONVOLUTIONS, "InnerProduct")
JOINING = ("Concat", "Eltwise")
QUANTIZED = (*WEIGHTED, "Pooling", *JOINING, "Upsample")

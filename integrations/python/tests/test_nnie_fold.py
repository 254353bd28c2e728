"""Caffe's files read and written, and folding in Caffe networks."""

import unittest

import numpy as np
from support import needs_protobuf, needs_torch, protobuf

if protobuf is not None:
    from gfpq.nnie import proto
    from gfpq.nnie.folding import fold, remove


def network(*layers):
    """A network of (name, type, bottom, top, blobs)."""
    net = proto.NetParameter(name="net", input=["data"])
    net.input_shape.add().dim.extend([1, 4, 6, 6])
    for name, kind, bottom, top, blobs in layers:
        layer = net.layer.add(name=name, type=kind, bottom=bottom.split(), top=[top])
        for blob in blobs:
            proto.add_blob(layer, blob)
    return net


@needs_protobuf
class BlobTest(unittest.TestCase):
    def test_numbers_of_all_kinds(self):
        values = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("f4")
        layer = proto.LayerParameter()
        proto.add_blob(layer, values)
        blob = layer.blobs[0]
        np.testing.assert_array_equal(proto.array_of(blob), values)
        self.assertEqual(list(blob.data), values.ravel().tolist())
        with_gradient = proto.BlobProto()  # a snapshot may hold gradients, field 6, which this package does not know
        with_gradient.ParseFromString(blob.SerializeToString() + bytes([6 << 3 | 2, 8]) + b"\1" * 8)
        np.testing.assert_array_equal(proto.array_of(with_gradient), values)
        old = proto.BlobProto(num=1, channels=2, height=1, width=3, data=range(6))
        self.assertEqual(proto.array_of(old).tolist(), [[[[0, 1, 2]], [[3, 4, 5]]]])
        double = proto.BlobProto(double_data=[0.1, 0.2])
        double.shape.dim.append(2)
        self.assertEqual(proto.array_of(double).tolist(), [0.1, 0.2])


@needs_protobuf
@needs_torch
class FoldTest(unittest.TestCase):
    def test_the_network_computes_what_it_did(self):
        from gfpq.nnie.run import run

        rng = np.random.default_rng(0)

        def norm(channels):
            return [rng.normal(size=channels), rng.uniform(1, 2, channels), np.array([1.5])]

        def scale(channels):
            return [rng.normal(size=channels), rng.normal(size=channels)]

        net = network(
            ("a", "Convolution", "data", "a", [rng.normal(size=(4, 2, 3, 3))]), ("n", "BatchNorm", "a", "a", norm(4)),
            ("s", "Scale", "a", "a", scale(4)), ("r", "ReLU", "a", "a", []),
            ("d", "Deconvolution", "a", "d", [rng.normal(size=(4, 3, 2, 2)), rng.normal(size=6)]),
            ("m", "BatchNorm", "d", "m", norm(6)), ("k", "Concat", "m d", "k", []),
            ("i", "InnerProduct", "k", "i", [rng.normal(size=(5, 300)), rng.normal(size=5)]),
            ("t", "Scale", "i", "t", scale(5)),
        )  # fmt: skip
        for layer in net.layer:
            p = layer.convolution_param
            if layer.type in ("Convolution", "Deconvolution"):
                p.group, p.num_output, p.bias_term = 2, 4 if layer.name == "a" else 6, layer.name != "a"
                p.kernel_size.append(3 if layer.name == "a" else 2)
            elif layer.type == "InnerProduct":
                layer.inner_product_param.num_output = 5
            elif layer.type == "Scale":
                layer.scale_param.bias_term = True
        x = {"data": rng.normal(size=(1, 4, 6, 6))}
        expected = run(net, x).blobs["t"]
        layers = list(net.layer)
        self.assertEqual(fold(layers), ["n", "s", "t"])  # m reads what Concat reads too
        folded = proto.NetParameter(input=net.input, input_shape=net.input_shape, layer=layers)
        np.testing.assert_allclose(run(folded, x).blobs["i"], expected, rtol=1e-4, atol=1e-4)

    def test_taking_a_layer_out(self):
        net = network(("q", "Quant", "data", "q", []), ("r", "ReLU", "q", "q", []), ("s", "ReLU", "q", "s", []))
        layers = list(net.layer)
        remove(layers, 0)
        blobs = [(list(layer.bottom), list(layer.top)) for layer in layers]
        self.assertEqual(blobs, [(["data"], ["q"]), (["q"], ["s"])])


if __name__ == "__main__":
    unittest.main()

"""finetune.py: weights quantized in training, comparison, folding and export."""

import json
import unittest

from support import Folder, caffe, gfpq, net, np, same_bits, solver

import finetune
import network
from gfpq.nnie.folding import fold, remove
from gfpq.nnie.proto import array_of

HEAD = """
layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 4 dim: 4 dim: 6 dim: 6 } shape { dim: 4 dim: 3 }
                     data_filler { type: "gaussian" std: 1 } data_filler { value: 1 } } }
"""
NETWORK = HEAD + """
layer { name: "q1" type: "Quant" bottom: "data" top: "q1" }
layer { name: "conv1" type: "Convolution" bottom: "q1" top: "conv1"
  convolution_param { num_output: 8 kernel_size: 3 group: 2 bias_term: false
                      weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "norm1" type: "BatchNorm" bottom: "conv1" top: "conv1" batch_norm_param { eps: 0.5 } }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "scaled"
  param { lr_mult: 0 } param { lr_mult: 0 } scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "scaled" top: "scaled" }
layer { name: "q2" type: "Quant" bottom: "scaled" top: "scaled" }
layer { name: "pool" type: "Pooling" bottom: "scaled" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "q3" type: "Quant" bottom: "pool" top: "pool" quant_param { quant_bits: 16 } }
layer { name: "up" type: "Deconvolution" bottom: "pool" top: "up"
  convolution_param { num_output: 4 kernel_size: 2 group: 2 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "norm2" type: "BatchNorm" bottom: "up" top: "normed" }
layer { name: "depth" type: "Convolution" bottom: "normed" top: "depth"
  convolution_param { num_output: 4 kernel_size: 1 group: 4 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "q4" type: "Quant" bottom: "depth" top: "q4" }
layer { name: "classes" type: "InnerProduct" bottom: "q4" top: "classes"
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "scale3" type: "Scale" bottom: "classes" top: "classes"
  scale_param { bias_term: false filler { type: "gaussian" std: 1 } } }
"""
DISABLED = NETWORK.replace("quant_param { quant_bits: 16 }", "").replace(
    'type: "Quant"', 'type: "Quant" quant_param { quant_en: 0 }')
LOSS = 'layer { name: "loss" type: "EuclideanLoss" bottom: "classes" bottom: "label" top: "loss" }'
SGD = 'type: "SGD" base_lr: 0.01'


def random_blobs(a_net, seed=0):
    """Numbers of a trained network in every blob but the ranges."""
    random = np.random.default_rng(seed)
    for name, blobs in a_net.params.items():
        if name[0] != "q":
            for blob in blobs:
                sign = 1 if name[:4] == "norm" else random.choice((-1, 1))
                blob.data[...] = sign * random.uniform(0.2, 1.5, blob.data.shape)


class Trained(Folder):
    def trained(self, text=NETWORK):
        """A net with ranges found, saved."""
        a_net = net(text, caffe.TRAIN)
        a_net.forward()
        random_blobs(a_net)
        a_net.forward()
        self.save(a_net, text)
        return net(text, caffe.TEST, self.weights)


class NetworkTest(Trained):
    def test_quantized_layers(self):
        found = network.quantized_layers(network.layers_of(net(NETWORK)))
        self.assertEqual([(layer.name, layer.kind, layer.quant, layer.bits, layer.groups) for layer in found], [
            ("conv1", "Convolution", "q1", 8, 2),
            ("pool", "Pooling", "q2", 8, 1),
            ("up", "Deconvolution", "q3", 16, 2),
            ("classes", "InnerProduct", "q4", 8, 1),
        ])
        disabled = NETWORK.replace('top: "q1"', 'top: "q1" quant_param { quant_en: 0 }')
        self.assertEqual(len(network.quantized_layers(network.layers_of(net(disabled)))), 3)

    def test_depthwise(self):
        text = NETWORK.replace('bottom: "normed" top: "depth"', 'bottom: "q5" top: "depth"').replace(
            'layer { name: "depth"',
            'layer { name: "q5" type: "Quant" bottom: "normed" top: "q5" } layer { name: "depth"')
        found = {layer.name: layer for layer in network.quantized_layers(network.layers_of(net(text)))}
        self.assertEqual((found["depth"].kind, found["depth"].groups), ("DepthwiseConv", 1))

    def test_folding_changes_nothing_else(self):
        plain = self.trained(DISABLED)
        plain.forward()
        layers = network.layers_of(plain)
        self.assertEqual(fold(layers), ["norm1", "scale1", "norm2", "scale3"])
        network.write(layers, "folded", self.model, self.weights)
        folded = caffe.Net(str(self.model), caffe.TEST, weights=str(self.weights))
        folded.forward()
        folded.blobs["data"].data[...] = plain.blobs["data"].data
        for place, name in enumerate(folded._layer_names):
            if name != "data":
                folded._forward(place, place)
        self.assertGreater(np.abs(plain.blobs["classes"].data).max(), 0.1)
        np.testing.assert_allclose(folded.blobs["classes"].data, plain.blobs["classes"].data, rtol=1e-3, atol=1e-4)

    def test_what_cannot_be_folded_stays(self):
        text = HEAD + """
            layer { name: "norm" type: "BatchNorm" bottom: "data" top: "normed" }
            layer { name: "conv" type: "Convolution" bottom: "normed" top: "conv"
              convolution_param { num_output: 4 kernel_size: 1 } }
            layer { name: "scale" type: "Scale" bottom: "conv" top: "scaled" }
            layer { name: "sum" type: "Eltwise" bottom: "conv" bottom: "scaled" top: "sum" }"""
        self.assertEqual(fold(network.layers_of(net(text))), [])

    def test_taking_out_a_layer_whose_input_others_use(self):
        text = HEAD + """
            layer { name: "q" type: "Quant" bottom: "data" top: "q" }
            layer { name: "relu" type: "ReLU" bottom: "q" top: "q" }
            layer { name: "sum" type: "Eltwise" bottom: "data" bottom: "q" top: "sum" }"""
        layers = network.layers_of(net(text))
        remove(layers, [layer.name for layer in layers].index("q"))
        self.assertEqual([(list(layer.bottom), list(layer.top)) for layer in layers[1:]],
                         [(["data"], ["q"]), (["data", "q"], ["sum"])])


class TrainTest(Trained):
    def solver(self, text=SGD, net_text=NETWORK + LOSS):
        return solver(self.folder, text, net_text)

    def test_updates_go_to_the_float_copy(self):
        followed, by_hand = self.solver(), self.solver()
        for name in followed.net.params:
            for ours, theirs in zip(followed.net.params[name], by_hand.net.params[name]):
                ours.data[...] = theirs.data
        layers = network.quantized_layers(network.layers_of(followed.net))
        finetune.QuantizedWeights(followed.net, layers).follow(followed)
        seen, weight = [], followed.net.params["conv1"][0]
        followed.net.after_forward(lambda place: seen.append(weight.data.copy()) if place == 0 else None)
        for step in range(4):
            floats = {layer.name: by_hand.net.params[layer.name][0].data.copy()
                      for layer in layers if layer.kind != "Pooling"}
            for layer in layers:
                if layer.name in floats:
                    network.quantize_weights(by_hand.net.params[layer.name][0].data, layer)
            expected = by_hand.net.params["conv1"][0].data.copy()
            followed.step(1)
            by_hand.net.clear_param_diffs()
            by_hand.net.blobs["data"].data[...] = followed.net.blobs["data"].data
            for place in range(1, len(by_hand.net.layers)):
                by_hand.net._forward(place, place)
            by_hand.net.backward()
            for name, weights in floats.items():
                by_hand.net.params[name][0].data[...] = weights
            by_hand.apply_update()
            self.assertTrue(same_bits(seen[step], expected))
            self.assertFalse(same_bits(expected, floats["conv1"]))
            for name in followed.net.params:
                ours, theirs = (each.net.params[name][0].data for each in (followed, by_hand))
                np.testing.assert_allclose(ours, theirs, rtol=1e-6)

    def test_small_updates_add_up(self):
        """Far below a quantization step (4.4 %), and yet the weights move on."""
        text = HEAD + """
            layer { name: "q1" type: "Quant" bottom: "data" top: "q1" }
            layer { name: "classes" type: "InnerProduct" bottom: "q1" top: "classes"
              inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.1 } } }""" + LOSS
        trained = self.solver('type: "SGD" base_lr: 0.00001', text)
        layers = network.quantized_layers(network.layers_of(trained.net))
        finetune.QuantizedWeights(trained.net, layers).follow(trained)
        trained.step(1)
        weights = trained.net.params["classes"][0].data
        before, quantized = weights.copy(), gfpq.quantize(weights)
        trained.step(5)
        self.assertTrue(same_bits(gfpq.quantize(weights)[:1, :20], quantized[:1, :20]))
        self.assertTrue((weights != before).mean() > 0.9)

    def test_a_test_runs_quantized_and_leaves_the_float_weights(self):
        text = SGD + " test_iter: 1 test_interval: 1 test_initialization: true"
        trained = self.solver(text)
        layers = network.quantized_layers(network.layers_of(trained.net))
        finetune.QuantizedWeights(trained.net, layers).follow(trained)
        seen, weights = [], trained.net.params["conv1"][0]
        start = weights.data.copy()
        tested = trained.test_nets[0]
        tested.after_forward(lambda place: seen.append(tested.params["conv1"][0].data.copy()) if place == 1 else None)
        trained.step(1)
        expected = start.copy()
        network.quantize_weights(expected, layers[0])
        self.assertTrue(same_bits(seen[0], expected))
        trained.snapshot()
        saved = net(NETWORK, caffe.TEST, self.folder / "snapshot_iter_1.caffemodel").params["conv1"][0].data
        self.assertTrue(same_bits(saved, weights.data))
        self.assertFalse(same_bits(saved, gfpq.quantize(saved)))
        tested.forward()
        self.assertTrue(same_bits(saved, weights.data))

    def test_the_float_copy_outlives_two_passes(self):
        trained = net(NETWORK, caffe.TRAIN)
        weights = finetune.QuantizedWeights(trained, network.quantized_layers(network.layers_of(trained)))
        start = trained.params["conv1"][0].data.copy()
        weights.quantize()
        quantized = trained.params["conv1"][0].data.copy()
        weights.quantize()
        self.assertTrue(same_bits(trained.params["conv1"][0].data, quantized))
        weights.restore()
        self.assertTrue(same_bits(trained.params["conv1"][0].data, start))

    def test_layers_that_share_weights(self):
        text = HEAD.replace("dim: 4 dim: 6 dim: 6", "dim: 4 dim: 6 dim: 4") + "".join(f"""
            layer {{ name: "q{name}" type: "Quant" bottom: "{bottom}" top: "q{name}" }}
            layer {{ name: "{name}" type: "InnerProduct" bottom: "q{name}" top: "{name}" param {{ name: "shared" }}
              inner_product_param {{ num_output: 4 axis: 3 bias_term: false }} }}"""
            for name, bottom in (("first", "data"), ("second", "first")))  # fmt: skip
        trained = net(text, caffe.TRAIN)
        layers = network.quantized_layers(network.layers_of(trained))
        self.assertEqual([layer.name for layer in layers], ["first", "second"])
        weights = trained.params["first"][0].data
        for largest in np.linspace(1, 2, 100, dtype="f4"):  # quantizing twice lowers the range of some of them
            start = np.linspace(-largest, largest, 16, dtype="f4").reshape(4, 4)
            weights[...] = start
            quantizer = finetune.QuantizedWeights(trained, layers)
            quantizer.quantize()
            self.assertTrue(same_bits(weights, gfpq.quantize(start)))
            quantizer.restore()
            self.assertTrue(same_bits(weights, start))

    def test_the_command(self):
        self.solver(SGD + " max_iter: 2 test_iter: 1 test_interval: 1 display: 1 snapshot: 1")
        file = self.folder / "solver.prototxt"
        status, out, _ = self.run_command("train", file)
        self.assertEqual(status, 0)
        self.assertIn("conv1 (Convolution): data and weights in 8 bit\npool (Pooling): data in 8 bit\n"
                      "up (Deconvolution): data and weights in 16 bit\n", out)
        end = net(NETWORK, caffe.TEST, self.folder / "snapshot_iter_2.caffemodel")
        self.assertFalse(same_bits(end.params["conv1"][0].data, gfpq.quantize(end.params["conv1"][0].data)))

        state, model = (self.folder / f"snapshot_iter_{name}" for name in ("1.solverstate", "2.caffemodel"))
        weights = []
        for more in ((), ("--data-only",)):
            status, out, _ = self.run_command("train", file, "--snapshot", state, *more)
            self.assertEqual(status, 0)
            weights.append(net(NETWORK, caffe.TEST, model).params["conv1"][0].data.copy())
        self.assertIn("conv1 (Convolution): data in 8 bit\n", out)
        plain = caffe.get_solver(str(file))
        plain.restore(str(state))
        plain.solve()
        self.assertFalse(same_bits(plain.net.params["conv1"][0].data, weights[0]))
        self.assertTrue(same_bits(plain.net.params["conv1"][0].data, weights[1]))

    def test_no_quant_layer(self):
        (self.folder / "net.prototxt").write_text(DISABLED + LOSS)
        (self.folder / "solver.prototxt").write_text(f'net: "{self.folder}/net.prototxt" lr_policy: "fixed" {SGD}')
        status, _, err = self.run_command("train", self.folder / "solver.prototxt")
        self.assertEqual(status, 2)
        self.assertIn("no layer of the network takes its input from a Quant layer", err)


class CompareTest(Trained):
    def compare(self, *arguments):
        status, out, _ = self.run_command("compare", self.model, self.weights, *arguments)
        self.assertEqual(status, 0)
        cosines = {line.split()[0]: float(line.split()[2]) for line in out.splitlines()[1:5]}
        self.assertEqual(list(cosines), ["conv1", "pool", "up", "classes"])
        return cosines, out

    def test_similar(self):
        self.trained()
        both, out = self.compare("--batches", 2)
        self.assertTrue(all(0.98 < cosine < 0.999999 for cosine in both.values()), both)
        self.assertNotIn("below", out)
        data, _ = self.compare("--data-only")
        weights, _ = self.compare("--weights-only")
        self.assertNotEqual(both, data)
        self.assertNotEqual(data, weights)

    def test_weights_that_the_range_cannot_hold(self):
        trained = self.trained()
        for blob in trained.params["scale1"]:
            blob.data[0] = 0  # the first channel is zero, so that its weights do not matter
        trained.params["up"][0].data[0] = 1e6  # and the others of its group become zero
        self.save(trained, NETWORK)
        both, out = self.compare()
        self.assertLess(both["up"], 0.98)
        self.assertRegex(out, r"\nup .* below 0.98\n")
        self.assertRegex(out, r"\nNext, with up, .*--data-only.*--weights-only.*--layer-bits up=16")
        self.assertNotIn("data_only", out)
        data, _ = self.compare("--data-only")
        self.assertGreater(data["up"], 0.98)

    def test_outputs(self):
        self.trained(NETWORK.replace('type: "gaussian" std: 1 } data_filler', "value: 1 } data_filler"))
        means = [self.run_command("test", self.model, self.weights, *more)[1]
                 for more in ((), ("--data-only",), ("--weights-only",), ("--float",))]
        self.assertEqual(len(set(means)), 4, means)
        self.assertRegex(means[0], r"classes = -?\d+\.\d{6}\n")


class ExportTest(Trained):
    def test_what_is_written(self):
        trained = self.trained()
        layers = network.layers_of(trained)
        fold(layers)
        folded = {{"up": "up_hp"}.get(layer.name, layer.name): layer for layer in layers}
        deployed = self.folder / "deployed"
        status, out, err = self.run_command("export", self.model, self.weights, deployed)
        self.assertEqual(status, 0, err)
        self.assertIn("folded: norm1, scale1, norm2, scale3", out)
        self.assertIn("renamed, as layers of 16 bit beside others: up_hp\n", out)
        self.assertIn("mapper.cfg is not written: the network has 0 inputs", out)
        self.assertRegex(out, r"\n.* data +DummyData: of training, take it out of the deploy file")
        self.assertEqual({file.name for file in deployed.iterdir()},
                         {"model.prototxt", "model.caffemodel", "parameters.json", "nnie.json"})

        rows = json.loads((deployed / "parameters.json").read_text())
        self.assertEqual([(row["layer"], row["tensor"], row["group"], row["bits"]) for row in rows], [
            ("conv1", "data", 0, 8), ("conv1", "weight", 0, 8), ("conv1", "weight", 1, 8), ("pool", "data", 0, 8),
            ("up_hp", "data", 0, 16), ("up_hp", "weight", 0, 16), ("up_hp", "weight", 1, 16),
            ("classes", "data", 0, 8), ("classes", "weight", 0, 8),
        ])
        exported = caffe.Net(str(deployed / "model.prototxt"), caffe.TEST, weights=str(deployed / "model.caffemodel"))
        self.assertFalse({layer.type for layer in exported.layers} & {"Quant", "BatchNorm", "Scale"})
        for row in rows:
            param = gfpq.Param.from_bytes(bytes.fromhex(row["block"]), row["bits"])
            self.assertEqual((row["delta"], row["clip"]), (param.delta, param.largest))
            if row["tensor"] == "weight":
                groups = 1 if row["layer"] == "classes" else 2
                part = np.split(array_of(folded[row["layer"]].blobs[0]), groups)[row["group"]]
                found = gfpq.Param(row["bits"])
                expected = gfpq.quantize(part, param=found)
                self.assertEqual(bytes(found), bytes(param))
                got = np.split(exported.params[row["layer"]][0].data, groups)[row["group"]]
                self.assertTrue(same_bits(got, expected))
        self.assertTrue(same_bits(exported.params["conv1"][1].data, array_of(folded["conv1"].blobs[1])))
        quants = {"conv1": "q1", "pool": "q2", "up_hp": "q3", "classes": "q4"}
        for row in rows:
            if row["tensor"] == "data":
                block = trained.params[quants[row["layer"]]][0].data[:16].astype("u1")
                self.assertEqual(row["block"], bytes(block).hex())
        clips = json.loads((deployed / "nnie.json").read_text())["nnie"]["gfpq_param_dict"]
        self.assertEqual(clips, {row["layer"]: [row["clip"]] for row in rows if row["tensor"] == "data"})
        exported.forward()
        self.assertEqual(list(exported.outputs), ["classes", "label"] if "label" in exported.outputs else ["classes"])

    def test_without_range(self):
        self.save(net(NETWORK), NETWORK)
        status, _, err = self.run_command("export", self.model, self.weights, self.folder / "deployed")
        self.assertEqual(status, 2)
        self.assertIn("q1 has no range yet", err)
        self.assertIn("finetune.py calibrate", err)
        self.assertFalse((self.folder / "deployed").exists())


if __name__ == "__main__":
    unittest.main()

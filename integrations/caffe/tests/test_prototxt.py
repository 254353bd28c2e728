"""finetune.py prepare: Quant layers put into prototxts. Takes no Caffe."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

FOLDER = Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(FOLDER), str(FOLDER.parent / "python")]

from prototxt import layers_of, prepare  # noqa: E402


def layer(name, kind, bottoms="data", tops=None, content=""):
    words = [f'bottom: "{bottom}"' for bottom in bottoms.split()] + [f'top: "{top}"' for top in (tops or name).split()]
    return f'layer {{ name: "{name}" type: "{kind}" {" ".join(words)} {content} }}\n'


INPUT = 'input: "data"\ninput_shape { dim: 1 dim: 3 dim: 8 dim: 8 }\n'


def sources(text):
    """For each layer but Quant, which layer made each bottom, as it was when the layer ran."""
    made, found = {}, {}
    for part in layers_of(text):
        bottoms = [made.get(bottom.word, bottom.word) for bottom in part.bottoms]
        if part.type == "Quant":
            made.update((top, bottoms[0]) for top in part.tops)
            continue
        found[part.name, tuple(part.rules)] = bottoms
        made.update((top, f"{part.name} {top} {part.rules}") for top in part.tops)
    return found


class PrepareTest(unittest.TestCase):
    def prepare(self, text, **how):
        """The result, which computes what the text did but for quantization."""
        result = prepare(text, **how)
        self.assertEqual(sources(result.text), sources(text))
        again = prepare(result.text, **how)
        self.assertEqual((again.text, again.placed), (result.text, []))
        return result

    def test_before_each_layer_that_nnie_quantizes(self):
        text = INPUT + layer("c", "Convolution") + layer("r", "ReLU", "c", "c") + layer("p", "Pooling", "c")
        text += layer("d", "Deconvolution", "p") + layer("i", "InnerProduct", "d") + layer("s", "Softmax", "i")
        result = self.prepare(text)
        self.assertEqual(result.placed, [("quant_data", 8, ["c"]), ("quant_c", 8, ["p"]), ("quant_p", 8, ["d"]),
                                         ("quant_d", 8, ["i"])])  # fmt: skip
        self.assertEqual(result.text.count("param { lr_mult: 0 }"), 1)
        self.assertIn('layer {\n  name: "quant_c" type: "Quant" bottom: "c" top: "quant_c"\n'
                      "  quant_param { quant_bits: 8 quant_en: 1 }\n}\nlayer { name: \"p\"", result.text)  # fmt: skip

    def test_one_for_all_that_read_the_same_data_and_another_where_it_changed(self):
        text = INPUT + layer("a", "Convolution") + layer("b", "Convolution", "a") + layer("c", "Pooling", "a")
        text += layer("r", "ReLU", "a", "a") + layer("d", "Convolution", "a") + layer("e", "Eltwise", "a d")
        result = self.prepare(text)
        self.assertEqual(result.placed, [("quant_data", 8, ["a"]), ("quant_a", 8, ["b", "c"]), ("quant_a_2", 8, ["d"])])
        self.assertIn('bottom: "a" bottom: "d" top: "e"', result.text)

    def test_concat_and_eltwise_on_request(self):
        text = INPUT + layer("a", "Convolution") + layer("b", "Convolution", "a") + layer("e", "Eltwise", "a b")
        text += layer("k", "Concat", "e a")
        result = self.prepare(text, joining=True)
        self.assertEqual(result.placed, [("quant_data", 8, ["a"]), ("quant_a", 8, ["b", "e", "k"]),
                                         ("quant_b", 8, ["e"]), ("quant_e", 8, ["k"])])  # fmt: skip

    def test_the_inputs_of_concat_and_eltwise_are_exported(self):
        try:
            from gfpq.nnie import proto
        except ImportError as error:
            self.skipTest(str(error))
        text = prepare(INPUT + layer("a", "Convolution") + layer("e", "Eltwise", "a data"), joining=True).text
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "net.prototxt"
            file.write_text(text)
            net = proto.read_prototxt(file)
        next(part for part in net.layer if part.name == "a").blobs.add().shape.dim.extend([2, 3, 1, 1])
        stand_ins = {name: mock.MagicMock() for name in ("caffe", "caffe.proto", "caffe.proto.caffe_pb2")}
        with mock.patch.dict(sys.modules, stand_ins):  # what is tried needs messages alone
            import network
        found = network.quantized_layers(list(net.layer))
        wanted = [("a", 0, "quant_data", True), ("e", 0, "quant_a", False), ("e", 1, "quant_data", False)]
        self.assertEqual([(part.name, part.input, part.quant, part.has_weights) for part in found], wanted)

    def test_widths_and_layers_left_out(self):
        text = INPUT + layer("a", "Convolution") + layer("b", "Convolution", "a") + layer("c", "Convolution", "a")
        result = self.prepare(text, bits=8, layer_bits={"b": 16}, skip=["a"])
        self.assertEqual(result.placed, [("quant_a", 16, ["b"]), ("quant_a_2", 8, ["c"])])
        for how in ({"layer_bits": {"x": 8}}, {"skip": ["x"]}):
            with self.assertRaisesRegex(ValueError, "name x"):
                prepare(text, **how)

    def test_phases(self):
        rules = ["include { phase: TRAIN }", "include { phase: TEST }"]
        text = "".join(layer("data", "Data", "", "data label", rule) for rule in rules) + layer("a", "Convolution")
        text += layer("aux", "InnerProduct", "a", content=rules[0]) + layer("b", "InnerProduct", "a")
        result = self.prepare(text)
        self.assertEqual(result.placed, [("quant_data", 8, ["a"]), ("quant_a", 8, ["aux"]), ("quant_a_2", 8, ["b"])])
        quants = [part.rules for part in layers_of(result.text) if part.type == "Quant"]
        self.assertEqual(quants, [[], [rules[0]], []])

    def test_what_has_quant_layers_stays(self):
        text = (FOLDER / "example" / "digits.prototxt").read_text()
        self.assertEqual(prepare(text).text, text)
        text = INPUT + layer("q", "Quant", "data") + layer("d", "Dropout", "q", "q") + layer("a", "Convolution", "q")
        self.assertEqual(prepare(text).text, text)
        text = INPUT + layer("q", "Quant", "data") + layer("t", "TanH", "q", "q") + layer("a", "Convolution", "q")
        self.assertEqual(len(self.prepare(text).placed), 1)

    def test_the_text_stays_as_it_was_written(self):
        text = INPUT + "# a note: layer { in it }\n  layer {  # first\n\ttype: 'Convolution'\n"
        text += "\tbottom: 'data'; top:\"a\"\n"
        text += '\tname: "a"  convolution_param { num_output: 2 kernel_size: 3 weight_filler < type: "x{" > }\n  }\n'
        result = self.prepare(text)
        added = result.text
        block = added[added.index("layer {\n    name: \"quant_data\"") : added.index("layer {  # first")]
        self.assertEqual(added.replace(block, "").replace('"quant_data"', "'data'"), text)

    def test_what_is_no_prototxt(self):
        for text, words in (("layers { name: 'a' type: RELU }", "upgrade_net_proto_text"), ("name: 'a'", "no layer"),
                            ("\nlayer { name: 'a'", "line 2.*closes"), ("layer { } }", "alone")):  # fmt: skip
            with self.assertRaisesRegex(ValueError, words):
                prepare(text)

    def test_command(self):
        with tempfile.TemporaryDirectory() as folder:
            file, out = Path(folder) / "net.prototxt", Path(folder) / "quant.prototxt"
            file.write_text(INPUT + layer("a", "Convolution") + layer("b", "Eltwise", "a data"))

            def run(*arguments):
                command = [sys.executable, FOLDER / "prototxt.py", *map(str, arguments)]
                environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent / "python")}
                return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

            done = run(file, out, "--joining", "--layer-bits", "b=16")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("quant_data: 8 bit, read by a\n", done.stdout)
            self.assertEqual(out.read_text(), prepare(file.read_text(), layer_bits={"b": 16}, joining=True).text)
            before = out.read_text()
            for arguments in ((file, file), (file, out, "--layer-bits", "x=8"), (out.with_name("none"), out),
                              (file, out, "--layer-bits", "b=7")):  # fmt: skip
                done = run(*arguments)
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertNotIn("Traceback", done.stderr)
            self.assertEqual(out.read_text(), before)


if __name__ == "__main__":
    unittest.main()

"""The Quant layer in Caffe's nets and solvers, against the numpy package bit for bit; and its own tests in C++."""

import subprocess
import tempfile
import unittest
from pathlib import Path

from support import CAFFE_ROOT, block_of, caffe, gfpq, net, np, run_python, same_bits, solver

CHECKS = CAFFE_ROOT / "build" / "test" / "test_quant_layer.testbin"


def layer(shape=(10,), quant="quant_bits: 8 quant_en: 1", more=""):
    dims = " ".join(f"dim: {length}" for length in shape)
    return (f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}\n'
            f'layer {{ name: "quant" type: "Quant" bottom: "data" top: "out" {more} quant_param {{ {quant} }} }}\n')


def forward(a_net, data):
    a_net.blobs["data"].data[...] = data
    a_net.forward()
    return a_net.blobs["out"].data.copy()


def numbers(shape, scale, seed=0):
    random = np.random.default_rng(seed)
    data = (random.standard_normal(shape) * np.exp2(random.uniform(-12, 2, shape)) * scale).astype("f4")
    data.flat[:6] = 0, -0.0, np.nan, 1e-42, -1e-30, scale
    return data


class ForwardTest(unittest.TestCase):
    def test_the_guides_sample(self):
        train = net(layer(), caffe.TRAIN)
        out = forward(train, np.arange(10))
        self.assertEqual(" ".join(f"{value:.6f}".rstrip("0").rstrip(".") for value in out),
                         "0 1 2 2.953652 4 4.967431 5.907305 7.025009 8 8.724062")
        self.assertEqual(block_of(train).hex(), "60628269b3ffffffc5c727cc3a38d833")

    def test_as_numpy_does(self):
        for bits in (8, 16):
            for shape in ((1000,), (2, 3, 5, 7), (1, 1, 1, 70001)):
                with self.subTest(bits=bits, shape=shape):
                    text = layer(shape, f"quant_bits: {bits}")
                    train, test = net(text, caffe.TRAIN), net(text)
                    test.share_with(train)
                    param = gfpq.Param(bits)
                    for seed, scale in enumerate((1.0, 0.01, 300.0, 2.0)):
                        data = numbers(shape, scale, seed)
                        mode = gfpq.Mode.UPDATE if param.initialized else gfpq.Mode.INIT
                        expected = gfpq.quantize(data, param=param, mode=mode)
                        self.assertTrue(same_bits(forward(train, data), expected))
                        self.assertEqual(block_of(train), bytes(param))
                        self.assertEqual(train.params["quant"][0].data[16], bits)
                        data = numbers(shape, 10 * scale, seed)
                        data.flat[9:11] = np.inf, -np.inf
                        expected = gfpq.quantize(data, param=param, mode=gfpq.Mode.APPLY)
                        self.assertTrue(same_bits(forward(test, data), expected))
                        self.assertEqual(block_of(test), bytes(param))

    def test_in_place(self):
        text = layer((100,)).replace('top: "out"', 'top: "data"')
        train, data = net(text, caffe.TRAIN), numbers((100,), 1)
        train.blobs["data"].data[...] = data
        train.forward()
        self.assertTrue(same_bits(train.blobs["data"].data, gfpq.quantize(data)))

    def test_disabled(self):
        train, data = net(layer((100,), "quant_en: 0"), caffe.TRAIN), numbers((100,), 1)
        self.assertTrue(same_bits(forward(train, data), data))
        self.assertFalse(any(block_of(train)))

    def test_a_test_without_range(self):
        test, data = net(layer((100,))), numbers((100,), 3)
        self.assertTrue(same_bits(forward(test, data), gfpq.quantize(data)))
        self.assertTrue(same_bits(forward(test, data * 100), gfpq.quantize(data * 100)))
        self.assertFalse(any(block_of(test)))

    def test_the_gradient_passes_through(self):
        text = "force_backward: true\n" + layer((50,))
        train = net(text, caffe.TRAIN)
        forward(train, numbers((50,), 1))
        before = block_of(train)
        train.blobs["out"].diff[...] = np.arange(50)
        train.backward()
        np.testing.assert_array_equal(train.blobs["data"].diff, np.arange(50))
        self.assertEqual(block_of(train), before)

    def test_two_layers_share_a_range(self):
        text = (layer((10,), more='param { name: "range" lr_mult: 0 }') +
                'layer { name: "second" type: "Quant" bottom: "out" top: "end" param { name: "range" lr_mult: 0 } }')
        train = net(text, caffe.TRAIN)
        forward(train, np.arange(10))
        self.assertEqual(block_of(train, "second"), block_of(train))
        np.testing.assert_array_equal(train.blobs["end"].data, train.blobs["out"].data)


class ErrorTest(unittest.TestCase):
    """Caffe ends the program; what it says then must tell what to do."""

    def fails(self, text, *said, damage="", phase=1):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "net.prototxt"
            file.write_text(text)
            result = run_python("-c", f"import caffe\nnet = caffe.Net({str(file)!r}, {phase})\n"
                                      f"range = net.params['quant'][0].data\n{damage}\nnet.forward()")
        self.assertNotEqual(result.returncode, 0)
        for words in ("Check failed:", "quant", *said):
            self.assertIn(words, result.stdout + result.stderr)

    def test_bit_width(self):
        self.fails(layer(quant="quant_bits: 7"), "quant_bits of layer 'quant' is 7: use 8 or 16.")

    def test_a_learning_rate(self):
        self.fails(layer(more='param { name: "x" }'), "write param { lr_mult: 0 }, or no param")

    def test_a_number_that_is_no_byte(self):
        for number in ("256", "-1", "1.5", "float('nan')"):
            self.fails(layer(), "The range of layer 'quant' is damaged: number 3", damage=f"range[3] = {number}")

    def test_another_bit_width(self):
        self.fails(layer(), "was found for 16 bit, and its quant_bits is 8", damage="range[0], range[16] = 1, 16")

    def test_a_damaged_block(self):
        self.fails(layer(), "[ERR]", "parameter block", "HI_GFPQ_QuantAndDeQuant failed in layer 'quant'",
                   "load weights that this layer saved", damage="range[0], range[16] = 1, 8")

    def test_a_warning_without_range(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "net.prototxt"
            file.write_text(layer())
            result = run_python("-c", "import os\nos.environ['GLOG_minloglevel'] = '1'\nimport caffe\n"
                                      f"net = caffe.Net({str(file)!r}, 1)\nnet.forward()\nnet.forward()")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr.count("Layer 'quant' has no range yet"), 1)


def network(value):
    """A net that can be trained, whose Quant layer sees one value."""
    return f"""
layer {{ name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param {{ shape {{ dim: 4 dim: 3 }} shape {{ dim: 4 dim: 2 }}
                      data_filler {{ value: {value} }} data_filler {{ value: 1 }} }} }}
layer {{ name: "first" type: "InnerProduct" bottom: "data" top: "first" param {{ lr_mult: 0 }} param {{ lr_mult: 0 }}
  inner_product_param {{ num_output: 3 weight_filler {{ value: 1 }} }} }}
layer {{ name: "quant" type: "Quant" bottom: "first" top: "quant" }}
layer {{ name: "last" type: "InnerProduct" bottom: "quant" top: "last"
  inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "last" bottom: "label" top: "loss" }}
"""


def range_of(value):
    param = gfpq.Param()
    gfpq.quantize(np.array([value], "f4"), param=param)
    return bytes(param)


class SolverTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_no_solver_changes_the_range(self):
        for kind in ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"):
            with self.subTest(kind):
                momentum = 0 if kind in ("AdaGrad", "RMSProp") else 0.9
                more = "rms_decay: 0.9" if kind == "RMSProp" else f"momentum: {momentum}"
                text = f'type: "{kind}" base_lr: 0.01 weight_decay: 0.1 clip_gradients: 1 iter_size: 2 {more}'
                trained = solver(self.folder, text, network(2))
                before = trained.net.params["last"][0].data.copy()
                trained.step(5)
                self.assertTrue((trained.net.params["last"][0].data != before).all())
                self.assertEqual(block_of(trained.net), range_of(6))

    def test_snapshot_and_resume(self):
        text = 'type: "SGD" base_lr: 0.01 momentum: 0.9 weight_decay: 0.1'
        for kind, end in (("BINARYPROTO", ""), ("HDF5", ".h5")):
            with self.subTest(kind):
                trained = solver(self.folder, f"{text} snapshot_format: {kind}", network(2))
                trained.step(3)
                trained.snapshot()
                model, state = (self.folder / f"snapshot_iter_3.{name}{end}" for name in ("caffemodel", "solverstate"))
                test = net(network(2), caffe.TEST, model)
                self.assertEqual(block_of(test), range_of(6))

                # With narrower data the range stays; with wider ones it grows.
                resumed = solver(self.folder, text, network(0.1))
                resumed.restore(str(state))
                self.assertEqual(resumed.iter, 3)
                self.assertEqual(block_of(resumed.net), range_of(6))
                resumed.step(1)
                self.assertEqual(block_of(resumed.net), range_of(6))
                resumed = solver(self.folder, text, network(5))
                resumed.restore(str(state))
                resumed.step(1)
                self.assertEqual(block_of(resumed.net), range_of(15))

    def test_resuming_is_as_going_on(self):
        text = 'type: "SGD" base_lr: 0.01 momentum: 0.9 weight_decay: 0.1'
        straight = solver(self.folder, text, network(2))
        straight.step(3)
        straight.snapshot()
        straight.step(3)
        resumed = solver(self.folder, text, network(2))
        resumed.restore(str(self.folder / "snapshot_iter_3.solverstate"))
        resumed.step(3)
        for name in ("last", "quant"):
            self.assertTrue(same_bits(resumed.net.params[name][0].data, straight.net.params[name][0].data))

    def test_from_a_float_model(self):
        # quant_en: 0 and no Quant layer at all
        for text in (network(2).replace('top: "quant"', 'top: "quant" quant_param { quant_en: 0 }'),
                     network(2).replace('name: "quant" type: "Quant"', 'name: "other" type: "Power"')):
            float_net, file = net(text, caffe.TRAIN), self.folder / "float.caffemodel"
            float_net.save(str(file))
            train = net(network(2), caffe.TRAIN, file)
            self.assertFalse(any(block_of(train)))
            train.forward()
            self.assertEqual(block_of(train), range_of(6))


class CppTest(unittest.TestCase):
    @unittest.skipUnless(CHECKS.exists(), f"{CHECKS} is not built")
    def test_in_cpp(self):
        result = subprocess.run([CHECKS], capture_output=True, text=True, check=False, timeout=200)
        self.assertEqual(result.returncode, 0, result.stdout[-4000:])
        self.assertIn("[  PASSED  ]", result.stdout)


if __name__ == "__main__":
    unittest.main()

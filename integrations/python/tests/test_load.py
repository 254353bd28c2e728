"""Loading an exported network into the model's own class."""

import copy
import tempfile
import unittest
from pathlib import Path

from support import needs_torch, run_python, torch
from test_refusals import images

if torch is not None:
    from torch import nn

    import gfpq.torch as gq

PLAIN = """
import sys, torch
sys.modules["gfpq"] = None
torch.manual_seed(0)
x = torch.load(sys.argv[1] + "/x.pt")
options = {"weights_only": False} if torch.__version__ >= "2" else {}
model = torch.load(sys.argv[1] + "/network.pt", **options)
assert torch.equal(model(x), torch.load(sys.argv[1] + "/y.pt"))
"""


def network():
    torch.manual_seed(0)
    body = [nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.ConvTranspose2d(4, 4, 2, bias=False),
            nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1, bias=False)]  # fmt: skip
    model = nn.Sequential(*body).train()
    for _ in range(3):
        model(images() * 3 + 1)
    return model.eval()


@needs_torch
class LoadTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, model = Path(folder.name), network()
        gq.prepare(model, example_inputs=images())
        gq.calibrate(model, [images()])
        with torch.no_grad():
            self.exported = gq.export(model, self.folder)
            self.expected = self.exported.model(images())

    def test_a_fresh_model_computes_what_the_exported_one_does(self):
        fresh = network().train()
        self.assertIs(gq.load_exported(fresh, self.folder), fresh)
        self.assertFalse(fresh.training)
        with torch.no_grad():
            self.assertTrue(torch.equal(fresh(images()), self.expected))
        self.assertEqual(list(fresh.state_dict()), list(self.exported.model.state_dict()))

    def test_another_network_is_refused_and_left_as_it_was(self):
        for change in (lambda m: m.append(nn.Linear(2, 2)), lambda m: m.__delitem__(6),
                       lambda m: m.__setitem__(6, nn.Conv2d(4, 3, 1, bias=False)),
                       lambda m: m.__setitem__(1, nn.Identity())):  # fmt: skip
            fresh = network()
            change(fresh)
            before = copy.deepcopy(fresh)
            if isinstance(fresh[1], nn.Identity):
                gq.load_exported(fresh, self.folder)
                continue
            with self.assertRaises(RuntimeError):
                gq.load_exported(fresh, self.folder)
            self.assertEqual(str(fresh), str(before))
            self.assertTrue(all(map(torch.equal, fresh.state_dict().values(), before.state_dict().values())))

    def test_a_prepared_model_is_refused(self):
        model = network()
        gq.prepare(model)
        with self.assertRaisesRegex(ValueError, "float model"):
            gq.load_exported(model, self.folder)

    def test_the_whole_network_needs_no_gfpq(self):
        torch.save(self.exported.model, self.folder / "network.pt")
        torch.save(images(), self.folder / "x.pt")
        torch.save(self.expected, self.folder / "y.pt")
        script = self.folder / "run.py"
        script.write_text(PLAIN)
        result = run_python(script, self.folder)
        self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    unittest.main()

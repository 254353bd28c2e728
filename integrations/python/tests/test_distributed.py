"""DistributedDataParallel on gloo: 2 and 4 processes against one process with the joined batch."""

import datetime
import faulthandler
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from support import needs_torch, torch

if torch is not None:
    import torch.distributed as dist
    from torch import nn
    from torch.nn.parallel import DistributedDataParallel

    import gfpq.torch as gq
    from gfpq.torch import context

STEPS, BATCH = 4, 8
LIMIT = 90  # seconds for one training


def batches():
    """[BATCH, 4, 8, 8] each; every image has another scale, so every rank alone would see another range."""
    generator = torch.Generator().manual_seed(0)
    scales = torch.tensor([1, 3, 0.1, 20, 2, 0.5, 7, 50]).view(-1, 1, 1, 1)
    return [torch.randn(BATCH, 4, 8, 8, generator=generator).double() * scales.roll(step, 0) for step in range(STEPS)]


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(4, 8, 3, groups=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 4, 3), nn.Flatten(), nn.Linear(4, 3)
    ).double()


def train(model, shard):
    """Trains on a slice of each batch. Returns the outputs, and the ranges of data after each step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    outputs, ranges = [], []
    for batch in batches():
        optimizer.zero_grad()
        output = model(batch[shard])
        output.square().mean().backward()
        optimizer.step()
        outputs.append(output.detach())
        ranges.append([quantizer.range.clone() for _, tensor, quantizer in gq.quantizers(model) if tensor == "data"])
    return outputs, ranges


def quantize_alone(shard):
    """A quantizer outside any model: its outputs, and its ranges after each batch."""
    quantizer = gq.FakeQuantize(groups=2)
    outputs, ranges = [], []
    for batch in batches():
        outputs.append(quantizer(batch[shard].float()))
        ranges.append(quantizer.range.clone())
    return outputs, ranges


def worker(rank, size, folder):
    faulthandler.dump_traceback_later(LIMIT, exit=True)  # a rank that waits in vain says where
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    limit = datetime.timedelta(seconds=LIMIT)
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=size, timeout=limit)
    shard = slice(rank * BATCH // size, (rank + 1) * BATCH // size)
    result = {"alone": quantize_alone(shard)}

    empty = gq.FakeQuantize()  # rank 0 has no data: it counts for nothing, and nobody waits for it
    empty(torch.full((0 if rank == 0 else 3,), 9.0))
    result["empty"] = empty.range

    for exact in (False, True):
        model = network()
        gq.prepare(model, exact=exact)
        parallel = DistributedDataParallel(model)
        ranges = {name for name, _ in model.named_buffers() if name.endswith(".range")}
        result["broadcast", exact] = ranges - set(parallel.parameters_to_ignore)
        with mock.patch.object(dist, "all_reduce", wraps=dist.all_reduce) as reduce:
            result["exact" if exact else "training"] = train(parallel, shard)
        result["reductions", exact] = reduce.call_count
    if context.COMPILES and size == 2:
        compiled = network()
        gq.prepare(compiled)
        program = torch.compile(compiled, backend="aot_eager", fullgraph=True)
        parallel = DistributedDataParallel(program)
        ranges = {name for name, _ in program.named_buffers() if name.endswith(".range")}
        result["broadcast", False] |= ranges - set(parallel.parameters_to_ignore)
        result["compiled"] = train(parallel, shard)
    model.eval()
    with torch.no_grad():
        result["evaluation"] = model(batches()[0][shard][: rank + 1])  # ranks may differ: nothing is exchanged
    result["state"] = model.state_dict()
    torch.save(result, f"{folder}/{rank}.pt")
    dist.barrier()  # nobody takes the meeting place away while another still uses it
    faulthandler.cancel_dump_traceback_later()
    dist.destroy_process_group()


@needs_torch
class DistributedTest(unittest.TestCase):
    def setUp(self):
        if torch is not None and not (dist.is_available() and dist.is_gloo_available()):
            self.skipTest("this PyTorch has no gloo")

    def check(self, size):
        with tempfile.TemporaryDirectory() as folder:
            torch.multiprocessing.spawn(worker, (size, folder), nprocs=size)
            ranks = [torch.load(Path(folder) / f"{rank}.pt") for rank in range(size)]

        outputs, ranges = quantize_alone(slice(None))
        for step in range(STEPS):
            joined = torch.cat([rank["alone"][0][step] for rank in ranks])
            self.assertTrue(torch.equal(joined, outputs[step]))
            for rank in ranks:
                self.assertTrue(torch.equal(rank["alone"][1][step], ranges[step]))

        lone = gq.FakeQuantize()
        lone(torch.full((3,), 9.0))
        for rank in ranks:
            self.assertTrue(torch.equal(rank["empty"], lone.range))

        model = network()
        gq.prepare(model)
        outputs, ranges = train(model, slice(None))
        model.eval()(batches()[0])
        for rank in ranks:
            self.assertEqual((rank["reductions", False], rank["reductions", True]), (STEPS, STEPS * len(ranges[0])))
            self.assertEqual(len(rank["broadcast", False]), 0)
            self.assertEqual(len(rank["broadcast", True]), len(ranges[0]))
        for step in range(STEPS):
            for rank in ranks:  # one reduction: the same on all ranks, and of what does not depend on ranges the joined
                self.assertTrue(torch.equal(rank["training"][1][step][0], ranges[step][0]))
                for found, expected in zip(rank["training"][1][step], ranks[0]["training"][1][step]):
                    self.assertTrue(torch.equal(found, expected))
                for found, expected in zip(rank.get("compiled", rank["training"])[1][step], rank["training"][1][step]):
                    self.assertTrue(torch.equal(found, expected))
            joined = torch.cat([rank["exact"][0][step] for rank in ranks])
            # The sums of gradients are rounded in another order.
            torch.testing.assert_close(joined, outputs[step], rtol=1e-9, atol=1e-9)
            for rank in ranks:
                for found, expected in zip(rank["exact"][1][step], ranges[step]):
                    self.assertTrue(torch.equal(found, expected))
        for rank in ranks:
            for name, value in model.state_dict().items():
                self.assertTrue(torch.equal(rank["state"][name], ranks[0]["state"][name]), name)
                torch.testing.assert_close(rank["state"][name], value, rtol=1e-9, atol=1e-9)

    def test_two_processes(self):
        self.check(2)

    def test_four_processes(self):
        self.check(4)

    def test_shards_alone_would_differ(self):
        """What makes the two tests above tests: without exchange each rank has another range."""
        deltas = set()
        for rank in range(4):
            quantizer = gq.FakeQuantize()
            quantizer(batches()[0][2 * rank : 2 * rank + 2])
            deltas.add(quantizer.params[0].delta)
        self.assertGreater(len(deltas), 2)


if __name__ == "__main__":
    unittest.main()

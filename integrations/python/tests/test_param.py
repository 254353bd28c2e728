"""Param against the golden blocks and the golden ladder."""

import copy
import pickle
import unittest

import numpy as np
from support import GOLDEN, rows

import gfpq


class ParamTest(unittest.TestCase):
    def test_blocks_are_those_of_the_record(self):
        for bits in (8, 16):
            seen = 0
            for row in rows(GOLDEN / "vendor-1.1.5" / f"params_{bits}.csv"):
                block = bytes.fromhex(row["param_hex"])
                self.assertEqual(bytes(gfpq.Param.from_delta(int(row["delta"]), bits)), block)
                self.assertEqual(gfpq.Param.from_bytes(block, bits).delta, int(row["delta"]))
                seen += 1
            self.assertGreater(seen, 1000)

    def test_largest_and_smallest_are_exact(self):
        for bits, largest_code, limit in ((8, 127, 511), (16, 1407, 4095)):
            ladder = {
                int(row["exponent"]): float(np.array(int(row["f64_value"], 16), "u8").view("f8"))
                for row in rows(GOLDEN / "generated" / f"ladder_{bits}.csv")
            }
            for delta in range(-limit, limit + 1, 1 if bits == 8 else 7):
                param = gfpq.Param.from_delta(delta, bits)
                self.assertEqual(param.smallest, ladder[delta])
                self.assertEqual(param.largest, ladder[delta + largest_code])

    def test_nothing_held(self):
        param = gfpq.Param(16)
        self.assertFalse(param.initialized)
        self.assertEqual(bytes(param), bytes(16))
        self.assertEqual(param, gfpq.Param.from_bytes(bytes(16), 16))
        for name in ("delta", "largest", "smallest"):
            with self.assertRaisesRegex(gfpq.NotInitializedError, "INIT"):
                getattr(param, name)
        self.assertIn("nothing", repr(param))

    def test_merge_takes_the_wider_range(self):
        low, high, empty = gfpq.Param.from_delta(-9), gfpq.Param.from_delta(4), gfpq.Param()
        self.assertEqual(low.merge(high), high)
        self.assertEqual(high.merge(low), high)
        self.assertEqual(low.merge(empty), low)
        self.assertEqual(empty.merge(low), low)
        self.assertFalse(empty.merge(empty).initialized)
        merged = low.merge(high)
        gfpq.quantize([1e6], param=merged, mode=gfpq.Mode.INIT)
        self.assertEqual(high.delta, 4)  # the merged one is another
        with self.assertRaisesRegex(ValueError, "8 bit and one for 16"):
            low.merge(gfpq.Param(16))

    def test_equality_copies_and_pickles(self):
        param = gfpq.Param.from_delta(-77)
        self.assertNotEqual(param, gfpq.Param.from_delta(-77, 16))
        self.assertNotEqual(param, gfpq.Param.from_delta(-76))
        self.assertNotEqual(param, "delta -77")
        for same in (pickle.loads(pickle.dumps(param)), copy.copy(param), copy.deepcopy(param)):
            self.assertEqual(same, param)
            gfpq.quantize([1e6], param=same, mode=gfpq.Mode.UPDATE)
            self.assertEqual(param.delta, -77)
        with self.assertRaises(TypeError):
            hash(param)
        self.assertEqual(repr(param), "Param(bits=8, delta=-77, 0.0355871 ... 8.72406)")

    def test_what_is_refused(self):
        block = bytearray(bytes(gfpq.Param.from_delta(-77)))
        block[0] ^= 1
        for wrong, reason in (
            (lambda: gfpq.Param.from_bytes(bytes(block)), "damaged"),
            (lambda: gfpq.Param.from_bytes(b"short"), "16 bytes"),
            (lambda: gfpq.Param.from_bytes(bytes(gfpq.Param.from_delta(-3000, 16)), 8), "other bit width"),
            (lambda: gfpq.Param.from_delta(512), "-511 to 511"),
        ):
            with self.assertRaisesRegex(gfpq.BadParametersError, reason):
                wrong()
        with self.assertRaisesRegex(gfpq.BadFormatError, "use 8 or 16"):
            gfpq.Param(12)


if __name__ == "__main__":
    unittest.main()

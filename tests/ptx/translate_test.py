"""What the translator makes of PTX, and what it refuses."""

from __future__ import annotations

import unittest

from ptx_module import PtxError, read_module
from translate import translate_module

HEADER = ".version 9.0\n.target sm_90\n.address_size 64\n"


def kernel(body: str, declarations: str = "", attributes: str = "") -> str:
    return (f"{HEADER}{declarations}\n"
            f".visible .entry k(\n\t.param .u32 k_0,\n\t.param .u64 k_1\n)\n{attributes}\n{{\n"
            f"\t.reg .pred %p<3>;\n\t.reg .b16 %rs<4>;\n\t.reg .b32 %r<9>;\n\t.reg .b64 %rd<9>;\n{body}\n\tret;\n}}\n")


def translated(body: str, declarations: str = "") -> str:
    return translate_module(read_module(kernel(body, declarations)))


class Translator(unittest.TestCase):
    def test_what_is_unknown_is_named(self) -> None:
        for unknown in ("vote.sync.any.pred %p1, %p2, -1", "add.sat.s32 %r1, %r2, %r3", "cvt.sat.u8.s32 %rs1, %r1",
                        "add.f32 %r1, %r2, %r3", "bar.sync 1", "atom.shared.add.u32 %r1, [%rd1], 1",
                        "cvta.shared.u64 %rd1, %rd2", "ld.global.L1::no_allocate.u32 %r1, [%rd1]"):
            named = "k: unknown instruction: " + unknown.split()[0]
            with self.subTest(unknown), self.assertRaisesRegex(PtxError, named):
                translated(unknown + ";")

    def test_unknown_operands_and_declarations_are_named(self) -> None:
        with self.assertRaisesRegex(PtxError, "operand '%tid.y'"):
            translated("mov.u32 %r1, %tid.y;")
        with self.assertRaisesRegex(PtxError, "declaration: '.extern .func f;'"):
            translated("", ".extern .func f;")

    def test_parameters_are_placed_as_the_abi_has_them(self) -> None:
        parameters = read_module(kernel("")).kernels[0].parameters
        self.assertEqual([(p.offset, p.size) for p in parameters], [(0, 4), (8, 8)])

    def test_parameters_may_say_what_they_point_to(self) -> None:
        for pointer in ("", ".ptr .align 1 ", ".ptr .global .align 16 "):
            text = kernel("").replace(".param .u64 k_1", f".param .u64 {pointer}k_1")
            self.assertEqual(read_module(text).kernels[0].parameters[1].name, "k_1")

    def test_a_limit_of_threads_is_kept(self) -> None:
        self.assertEqual(read_module(kernel("", attributes=".maxntid 256, 1, 1")).kernels[0].most_threads, 256)
        self.assertEqual(read_module(kernel("")).kernels[0].most_threads, 1024)

    def test_shared_variables_of_the_module_belong_to_the_kernels_that_name_them(self) -> None:
        declarations = ".shared .align 4 .b8 used[4];\n.shared .align 8 .b8 other[8];"
        found = read_module(kernel("ld.shared.u32 %r1, [used];", declarations)).kernels[0]
        self.assertEqual([variable.name for variable in found.shared], ["used"])

    def test_values_of_variables_may_leave_out_zeros(self) -> None:
        text = translated("", ".global .align 4 .b8 table[8] = {1, 2};\n.global .align 4 .b8 zeros[8];")
        self.assertIn("initial_0[8] = {1, 2};", text)
        self.assertIn("initial_1[8] = {0};", text)

    def test_narrow_types_extend_as_their_sign_says(self) -> None:
        self.assertIn("rs1 = (int8_t)(thread.load_global<int8_t>(", translated("ld.global.s8 %rs1, [%rd1];"))
        self.assertIn("r1 = (int32_t)((int16_t)rs1);", translated("cvt.s32.s16 %r1, %rs1;"))

    def test_scopes_have_their_own_registers(self) -> None:
        text = translated("{ .reg .f32 f; cvt.f32.f16 f, %rs1; mov.b32 %r1, f; }")
        self.assertIn("{\nfloat f = 0;\nf = (float)(from_half((uint16_t)rs1));\n"
                      "r1 = (uint32_t)(bits_as<uint32_t>(f));\n}", text)


if __name__ == "__main__":
    unittest.main()

"""The tables in generated/, row by row; README.md describes their columns."""

from .arithmetic import (
    FORMATS,
    WIDTHS,
    delta_from_maximum,
    delta_used,
    ladder_value,
    maximum,
    nearest_exponent,
    parameter_block,
    power_ceil,
    power_floor,
    quantize,
)


def agree(found, expected):
    """Borders are made with roots, answers with powers: two roads that must meet."""
    if found != expected:
        raise ArithmeticError(f"the oracle contradicts itself: {found} is not {expected}")


def ladder_rows(width):
    """Every exponent, its value, and the two numbers around the threshold 2^((2e-1)/2S) below it."""
    yield ["exponent", "f32_value", "f64_value", "f32_below", "f32_above", "f64_below", "f64_above"]
    for e in range(-width.limit, width.limit + width.top + 1):
        row = [e] + [fmt.hex(ladder_value(e, width, fmt)) for fmt in FORMATS.values()]
        for fmt in FORMATS.values():
            if e == -width.limit:  # nothing below
                row += ["", ""]
                continue
            below = power_floor(2 * e - 1, 2 * width.steps, fmt)
            agree(nearest_exponent(below, width, fmt), e - 1)
            agree(nearest_exponent(below + 1, width, fmt), e)
            row += [fmt.hex(below), fmt.hex(below + 1)]
        yield row


def delta_rows(width):
    """Every delta, its block, the smallest maximum that leads to it, and the border of its zero zone."""
    yield (
        ["delta", "block"]
        + [f"{name}_smallest_max" for name in FORMATS]
        + [
            f"{name}_{sign}_{what}"
            for name in FORMATS
            for sign in ("positive", "negative")
            for what in ("zero", "kept", "value")
        ]
    )
    for delta in range(-width.limit, width.limit + 1):
        row = [delta, parameter_block(delta).hex()]
        row += [fmt.hex(smallest_maximum(delta, width, fmt)) for fmt in FORMATS.values()]
        for fmt in FORMATS.values():
            for sign, low in ((0, delta), (fmt.sign, delta + 1)):
                zero = sign | power_floor(low - width.steps, width.steps, fmt)
                kept = zero + 1
                agree(quantize(zero, delta, width, fmt), 0)
                agree(quantize(kept, delta, width, fmt), sign | ladder_value(low, width, fmt))
                row += [fmt.hex(x) for x in (zero, kept, quantize(kept, delta, width, fmt))]
        yield row


def smallest_maximum(delta, width, fmt):
    if delta == -width.limit:
        return 1  # the smallest denormal: the clamp takes everything below
    m = power_ceil(delta + width.top, width.steps, fmt)
    agree(delta_from_maximum(m, width, fmt), delta)
    agree(delta_from_maximum(m - 1, width, fmt), delta - 1)
    return m


def special_rows():
    yield ["name", "bits", "dtype", "mode", "delta_before", "input", "output", "delta_after"]
    for width in WIDTHS.values():
        for fmt in FORMATS.values():
            for name, mode, stored, data in special_cases(width, fmt):
                delta = delta_used(mode, stored, maximum(data, fmt), width, fmt)
                output = [quantize(x, delta, width, fmt) for x in data]
                before, after = "" if stored is None else stored, "" if mode == "null" else delta
                tensors = (" ".join(map(fmt.hex, tensor)) for tensor in (data, output))
                yield [name, width.bits, fmt.name, mode, before, *tensors, after]


def special_cases(width, fmt):
    """Small tensors that are easy to get wrong: (name, mode, stored delta, data)."""
    R, K, S = width.limit, width.top, width.steps
    infinity, normal = fmt.infinity, fmt.smallest_normal
    largest = infinity - 1
    quiet = infinity + normal // 2

    def beside(e):
        # Off the exact power, a border for maxima and halves that the doubles of another library may miss by some ulp.
        return ladder_value(e, width, fmt) + 64

    def both(*magnitudes):
        return [sign | m for m in magnitudes for sign in (0, fmt.sign)]

    data = [fmt.pattern(x) for x in (1, -2.5, 3, -4, 5.3, 0, -7.9, 9)]
    data_delta = delta_from_maximum(maximum(data, fmt), width, fmt)
    deltas = {"lowest_delta": -R, "delta_zero": 0, "data_delta": data_delta, "highest_delta": R}

    def every_mode(name, tensor):
        yield f"{name}_null", "null", None, tensor
        yield f"{name}_init", "init", None, tensor
        for place, delta in deltas.items():
            yield f"{name}_update_at_{place}", "update", delta, tensor
            yield f"{name}_apply_at_{place}", "apply", delta, tensor

    yield from every_mode("zero_plus", [0])
    yield from every_mode("zero_minus", [fmt.sign])
    yield from every_mode("zero_both", both(0) * 3)
    yield from every_mode("zero_in_data", both(0) + data + both(0))

    nans = {
        "quiet": quiet,
        "quiet_payload": quiet + 0x1234,
        "quiet_all_ones": fmt.sign - 1,
        "signalling": infinity + 1,
        "signalling_payload": quiet - 1,
    }
    for name, nan in nans.items():
        yield from every_mode(f"nan_{name}", both(nan))
    nans = both(*nans.values())
    yield from every_mode("nan_alone", nans)
    yield from every_mode("nan_before_data", nans + data)
    yield from every_mode("nan_after_data", data + nans)
    yield from every_mode("nan_among_data", [x for pair in zip(data, nans) for x in pair])
    yield from every_mode("nan_and_zero", [quiet, 0, quiet, fmt.sign])

    # The mode stands before the tensor in these names: what a library does with an infinity depends on the mode.
    infinite = {
        "plus": [infinity],
        "minus": [fmt.sign | infinity],
        "in_data": data + both(infinity) + data,
        "with_nan": [quiet, infinity, infinity + 1, fmt.sign | infinity],
    }
    for name, tensor in infinite.items():
        yield f"inf_init_{name}", "init", None, tensor
        yield f"inf_init_{name}_null", "null", None, tensor
        for place, delta in deltas.items():
            yield f"inf_update_{name}_at_{place}", "update", delta, tensor
            yield f"inf_apply_{name}_at_{place}", "apply", delta, tensor

    denormals = both(1, 2, normal // 2, normal - 1)
    yield from every_mode("denormal_smallest", both(1))
    yield from every_mode("denormal_alone", denormals)
    yield from every_mode("denormal_in_data", denormals + data)
    yield from every_mode("denormal_and_smallest_normal", denormals + both(normal))
    yield from every_mode("denormal_none_smallest_normal", both(normal))

    yield from every_mode("clamp_largest_number", both(largest))
    yield from every_mode("clamp_largest_number_in_data", data + both(largest))
    yield from every_mode("clamp_above_ladder", both(beside(R + K + S), beside(R + K + 1), beside(R + K)) + data)
    yield from every_mode("clamp_ends_of_ladder", both(beside(R + K), beside(R + K - 1), beside(1 - R), beside(-R)))
    yield from every_mode("clamp_below_lowest_maximum", both(beside(K - R - 1), beside(K - R - S), beside(-R)))
    yield from every_mode("clamp_below_ladder", both(beside(-R - S // 2), beside(-R - S), beside(-R - 2 * S)))
    for place, low in deltas.items():
        high = low + K
        above = both(beside(high - 1), beside(high), beside(high + 1), beside(high + S))
        below = both(beside(low + 2), beside(low + 1), beside(low), beside(low - 1), beside(low - S + 1))
        yield f"clamp_highest_value_at_{place}", "apply", low, above
        yield f"clamp_lowest_value_at_{place}", "apply", low, below

    yield from every_mode("negative_only", [fmt.pattern(-x) for x in (1, 2, 3, 0.3, 5, 6.1, 7, 9)])
    yield from every_mode("negative_one_number", [fmt.pattern(-1.5)])
    yield from every_mode("negative_maximum", [fmt.pattern(x) for x in (0.7, 1, -8.5, 2)])

    # Half of the lowest value goes to zero. It is a number of the format where `low` is a whole octave: delta is
    # one for positive numbers, delta + 1 for negative ones.
    octaves = {-(R // S) * S, -S, 0, S, R // S * S}
    for delta in sorted(octaves | {octave - 1 for octave in octaves} | {R}):
        half = ladder_value((delta + 1) // S * S - S, width, fmt)
        place = f"minus_{-delta}" if delta < 0 else str(delta)
        yield f"half_of_lowest_at_delta_{place}", "apply", delta, both(half - 1, half, half + 1)

    stored = {
        "far_below": -R,
        "octave_below": data_delta - S,
        "just_below": data_delta - 1,
        "equal": data_delta,
        "just_above": data_delta + 1,
        "octave_above": data_delta + S,
        "far_above": R,
    }
    for place, delta in stored.items():
        yield f"update_stored_{place}", "update", delta, data

"""Numbers as they are written in pages: bytes, three digits, percent."""


def human_bytes(count):
    """1536 -> '1.5 KiB'."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.3g} {unit}"
        count /= 1024
    raise AssertionError


def plain_number(value):
    """Three significant digits without an exponent: 0.0640, 1.20, 45.6, 789."""
    if value == 0:
        return "0"
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:#.3g}"


def percent(share):
    """0.934 -> '93 %', 0.0172 -> '1.7 %'."""
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.2g} %"


def percents(shares):
    """One share or several: '53 %', '53 to 100 %'; '–' where there is none."""
    return " to ".join(percent(share).removesuffix(" %") for share in shares) + " %" if shares else "–"


def factor(value):
    """Of a Factor: '128', 'at least 115', '–' where there is none."""
    if value is None:
        return "–"
    return plain_number(value.value) if value.is_certain else f"at least {plain_number(value.value)}"


MODES = {"apply": "APPLY", "init": "INIT", "update": "UPDATE", "job": "UPDATE by a job"}


def mode_text(mode):
    return MODES.get(mode, mode)

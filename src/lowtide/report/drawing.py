"""Small plots in characters: one line per series over a time axis.

It must not know what the series are.
"""

from __future__ import annotations

from collections.abc import Sequence

from lowtide.report.wording import duration_text, tick_step

#: Lower eighths of a character cell (Unicode block elements), from nothing to all.
_EIGHTHS = " ▁▂▃▄▅▆▇█"


def bars(values: Sequence[float], top: float) -> str:
    """Return one character per value, as high as its share of ``top``; what is not zero is seen."""
    if top <= 0:
        return " " * len(values)
    return "".join(
        _EIGHTHS[min(8, max(1, round(value / top * 8)))] if value > 0 else " " for value in values
    )


def axis(seconds: float, width: int) -> tuple[str, str]:
    """Return a line of ticks and a line of their labels for so many seconds over so many columns."""
    if seconds <= 0 or width < 2:
        return "└" + "─" * (width - 1), "0"
    step = tick_step(seconds, at_most=max(1, width // 11))
    line, labels = ["─"] * width, [" "] * width
    for tick in range(0, int(seconds) + 1, step):
        column = min(width - 1, int(tick / seconds * width))
        label = duration_text(tick) if tick else "0"
        if column + len(label) > width:
            break
        line[column] = "┴"
        labels[column : column + len(label)] = label
    line[0] = "└"
    return "".join(line), "".join(labels).rstrip()

"""Words and forms for what is read from runs."""

from __future__ import annotations

from resnetkit.pages.formatting import NO_BREAK_SPACE, duration
from resnetkit.study.study import Published, Reading
from resnetkit.study.verdict import Difference, Estimate

PERCENT = f"{NO_BREAK_SPACE}%"

TITLES: dict[Reading, str] = {
    "test_error": "test error",
    "val_error": "validation error",
    "train_error": "training error",
    "seconds": "time of training",
    "parameters": "parameters",
    "multiply_adds": "multiply-adds",
    "memory_bytes": "memory of an image in training",
    "response_std": "mean standard deviation of the responses",
    "lesion_rise": "errors more without one block (median)",
}

_DIFFERENCE_FORMS: dict[Reading, tuple[str, str]] = {
    "parameters": ("{:+,.0f}", ""),
    "multiply_adds": ("{:+,.0f}", ""),
    "memory_bytes": ("{:+,.0f}", " bytes"),
    "seconds": ("{:+.2f}", " s"),
    "response_std": ("{:+.3f}", ""),
}


def value_words(reading: Reading, value: float) -> str:
    """A value with its unit.

    >>> [value_words(*one).replace(NO_BREAK_SPACE, " ") for one in (("test_error", 8.752), ("parameters", 272474.0))]
    ['8.75 %', '272,474']
    """
    match reading:
        case "parameters":
            return f"{value:,.0f}"
        case "multiply_adds":
            return f"{value / 1e6:,.1f}{NO_BREAK_SPACE}M"
        case "memory_bytes":
            return f"{value / 1e6:,.2f}{NO_BREAK_SPACE}MB"
        case "seconds":
            return duration(value)
        case "response_std":
            return f"{value:.3f}"
        case "lesion_rise":
            return f"{value:.1f}{NO_BREAK_SPACE}points"
        case _:
            return f"{value:.2f}{PERCENT}"


def estimate_words(reading: Reading, estimate: Estimate | None) -> str:
    """A mean with half its interval: ``8.75 ± 0.31 %``; a dash for none."""
    if estimate is None:
        return "–"
    mean = value_words(reading, estimate.mean)
    if estimate.high is None or estimate.high == estimate.mean:
        return mean
    half = value_words(reading, estimate.high - estimate.mean)
    return f"{mean.removesuffix(PERCENT)} ± {half}" if mean.endswith(PERCENT) else f"{mean} ± {half}"


def published_words(published: Published | None) -> str:
    """A published figure, with what it is of where that is no test error; a dash for none."""
    if published is None:
        return "–"
    return str(published) if published.reading == "test_error" else f"{TITLES[published.reading]} {published}"


def difference_words(reading: Reading, difference: Difference) -> str:
    """A difference with its interval and what speaks for it: ``+5.21 points (2.02 to 8.40), p = 0.004, 3 seeds``."""
    form, unit = _DIFFERENCE_FORMS.get(reading, ("{:+.2f}", " points"))

    def signed(value: float) -> str:
        return form.format(value).replace("-", "−")

    text = signed(difference.value) + unit
    if difference.low is not None and difference.high is not None:
        text += f" (95 % interval {signed(difference.low)} to {signed(difference.high)})"
    if difference.p_value is not None:
        p_value = "p < 0.001" if difference.p_value < 0.001 else f"p = {difference.p_value:.3f}"
        text += ", " + p_value.replace(" ", NO_BREAK_SPACE)
    return text + f", {difference.num_seeds} seed{'s' if difference.num_seeds > 1 else ''}"

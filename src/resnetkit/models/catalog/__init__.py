"""Named networks: every name is one value (no torch here)."""

from __future__ import annotations

import fnmatch

from resnetkit.errors import Code, ResnetkitError, did_you_mean
from resnetkit.models.catalog.entry import Entry
from resnetkit.models.catalog.imagenet import IMAGENET
from resnetkit.models.catalog.keras import KERAS
from resnetkit.models.catalog.preactivation import PREACTIVATION
from resnetkit.models.catalog.quick import QUICK
from resnetkit.models.catalog.small_images import SMALL_IMAGES
from resnetkit.models.catalog.tutorials import TUTORIALS
from resnetkit.models.effects import cannot_learn, find_idle
from resnetkit.models.spec import NoSkip
from resnetkit.models.variations import SKIP_KEYS, split_name, vary

CATALOG: dict[str, Entry] = IMAGENET | PREACTIVATION | KERAS | SMALL_IMAGES | QUICK | TUTORIALS


def find_entry(name: str) -> Entry:
    """The named network, or a variation of it: ``resnet110[join=shortcut_gate,gate_bias=-6]``.

    What may stand in the brackets, see :mod:`resnetkit.models.variations`.

    >>> find_entry("resnet18[classes=10,stem=3x3]").spec.num_classes
    10

    Raises:
        ResnetkitError: for an unknown name, with the nearest one, or an unknown or impossible variation.
    """
    base, variations = split_name(name)
    if base not in CATALOG:
        raise ResnetkitError(
            Code.USAGE,
            f"unknown network '{base}'",
            fix=did_you_mean(base, CATALOG) + " (resnetkit models lists them all)",
        )
    entry = CATALOG[base]
    if not variations:
        return entry
    spec = vary(entry.spec, variations)
    varied = ", ".join(f"{key}={value}" for key, value in variations.items())
    summary = f"a variation of {base}: {varied}"
    return Entry(spec, entry.image_size_px, summary, (*_idle(base, variations), *cannot_learn(spec)))


def _idle(base: str, variations: dict[str, str]) -> list[str]:
    """Sentences about settings of a name that change nothing."""
    spec = CATALOG[base].spec
    found = []
    for key in find_idle(variations, lambda settings: vary(spec, settings)):
        others = {other: value for other, value in variations.items() if other != key}
        varied = vary(spec, variations)
        if isinstance(varied.block.join, NoSkip) and key in SKIP_KEYS:
            why = "a plain network has no skips"
        elif vary(spec, others) == varied:
            why = "the network has it without"
        else:
            why = "nothing in this network reads it"
        found.append(f"{key}={variations[key]} has no effect on {base}: {why}")
    return found


def list_models(pattern: str = "*") -> list[str]:
    """List the names that match a shell pattern, or whose name or summary contains a text, in upper or lower case.

    Any of them is a name for :func:`resnetkit.create_model`; without a pattern, these are all there are.

    >>> list_models("ResNet5*_B")
    ['resnet56_b']
    """
    wanted = pattern.lower()
    if any(sign in wanted for sign in "*?["):
        return [name for name in CATALOG if fnmatch.fnmatchcase(name.lower(), wanted)]
    return [name for name, entry in CATALOG.items() if wanted in name.lower() or wanted in entry.summary.lower()]

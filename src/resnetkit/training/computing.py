"""Set this machine up as a recipe's run computes."""

from __future__ import annotations

from resnetkit.anatomy.cost import count_part
from resnetkit.machine import runtime
from resnetkit.models.plan import plan_network
from resnetkit.models.sliding import Map
from resnetkit.recipes.recipe import Recipe
from resnetkit.recipes.schedule import num_frozen_parts
from resnetkit.training.distributed import local_device_name


def start_computing(recipe: Recipe, num_images: int = 0) -> runtime.Runtime:
    """Set this process up as the recipe says; what is ``auto`` is decided for a run of so many training images."""
    spec = recipe.runtime
    return runtime.start(
        local_device_name(spec.device),
        precision=spec.precision,
        compile_network=spec.compile,
        threads=spec.threads,
        deterministic=spec.deterministic,
        num_flops=training_flops(recipe, num_images),
    )


def training_flops(recipe: Recipe, num_images: int) -> float:
    """Floating-point operations of a run's convs and matrix products, in the parts that train in each of its epochs.

    That is two for a multiply-add, and twice as many backward as forward.
    """
    size, spec = recipe.preprocessing.image_size_px, recipe.model
    x, costs, name = Map(spec.in_channels, size), dict.fromkeys(recipe.parts, 0), recipe.parts[0]
    for part in plan_network(spec):
        x, cost = count_part(part, x)
        own = part.name.replace(" ", "")
        name = own if own in costs else name  # pooling and the like belong to the part below
        costs[name] += cost.multiply_adds
    frozen = [num_frozen_parts(recipe.fine_tuning, recipe.parts, epoch) for epoch in range(recipe.epochs)]
    return 6.0 * num_images * sum(sum(list(costs.values())[count:]) for count in frozen)

"""Set this machine up as a recipe's run computes."""

from __future__ import annotations

from resnetkit.anatomy.cost import count_cost
from resnetkit.machine import runtime
from resnetkit.recipes.recipe import Recipe
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
    """Floating-point operations of a run's convs and matrix products: two a multiply-add, backward twice forward."""
    size = recipe.preprocessing.image_size_px
    return 6.0 * count_cost(recipe.model, size).multiply_adds * num_images * recipe.epochs

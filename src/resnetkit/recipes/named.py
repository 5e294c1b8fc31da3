"""Name values that suit a kind of training (no torch here).

Each recipe's docstring says by which command it runs, what that costs on two CPU cores, what comes out (top-1 with its
95 % interval, or of several seeds the median with the lowest and the highest), and where that was measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from resnetkit.data.spec import Augmentation
from resnetkit.images.spec import SMALL_PX
from resnetkit.recipes.recipe import AdamW, FineTuning, Muon, Recipe, Schedule, Sgd

# Epochs of a head on photographs before what is below it trains too, and of a head alone: it has settled by then, so
# that three seeds come to the same within an image or two (benchmarks/fine_tuning.md).
HEAD_EPOCHS, HEAD_ALONE_EPOCHS = 12, 60
# Of a head alone: weight decay times the number of images, as the best of logistic regressions by cross-validation had
# it. Accuracy is the same from a quarter of it to four times as much (benchmarks/fine_tuning.md).
HEAD_DECAY = 40.0
# Pooled features are many and all positive: a head on them does not settle at 0.1, a usual rate.
HEAD_RATE = 0.004


@dataclass(frozen=True)
class Traits:
    """Traits of the images that recipes ask for.

    Attributes:
        num_train: how many are trained on.
        flip_rate: share of them that may be shown mirrored.
    """

    num_train: int
    flip_rate: float = 0.0


def tiny_images(base: Recipe, traits: Traits) -> Recipe:
    """For images up to 16 px: many short epochs, small shifts, averaged weights.

    Command: ``resnetkit train digits``.
    Cost: 18.8 s of training and validation.
    Result: 99.72 % on test (98.44 to 99.95, n = 359), one run; on another machine 98.05 to 99.16 %, three seeds.
    Measured in benchmarks/foundation.md.
    """
    return replace(
        base,
        augmentation=Augmentation(pad_px=1, flip_rate=traits.flip_rate),
        optimizer=Sgd(learning_rate=0.1, weight_decay=5e-4),
        schedule=Schedule("cosine", warmup_share=0.1),
        epochs=20,
        batch_size=64,
        label_smoothing=0.05,
        ema_decay=0.99,
    )


def small_images(base: Recipe, traits: Traits) -> Recipe:
    """For images up to 64 px: shift and flip, one cosine, averaged weights, answers averaged with the mirror image.

    Command: ``resnetkit train fashion_mnist``.
    Cost: 1,650 s of training and validation, beside other work; about 22 minutes without.
    Result: 94.26 % on test (93.79 to 94.70, n = 10,000), one run.
    Measured in benchmarks/foundation.md.
    """
    # Photographed things lie anywhere, scanned and catalogued ones in the middle.
    pad_px = 4 if base.preprocessing.channels == 3 else 1
    return replace(
        base,
        preprocessing=replace(base.preprocessing, average_mirrored=traits.flip_rate > 0),
        augmentation=Augmentation(pad_px=pad_px, flip_rate=traits.flip_rate),
        optimizer=Sgd(learning_rate=0.1, weight_decay=3e-4),
        schedule=Schedule("cosine", warmup_share=2 / 18),
        epochs=18,
        batch_size=128,
        ema_decay=0.998,
    )


def quick(base: Recipe, traits: Traits) -> Recipe:
    """For images up to 64 px, within minutes: few epochs of Muon, small shifts, no averaged weights.

    A stem that starts as whitening filters is not trained, which saves a fourth of a step's time on colour images.

    Made for ``quick_resnet8`` on grey images and ``quick_resnet8_wide`` on colour ones. What was tried for it, and what
    did not help: benchmarks/notes.md.

    Command: ``resnetkit train fashion_mnist --recipe quick``.
    Cost: 89.9 s (89.0 to 93.0) for the whole command.
    Result: 93.50 % on test (93.32 to 93.59), five seeds.
    Command: ``resnetkit train cifar10 --recipe quick --set data.validation_fraction=0.05 --seed 1``.
    Cost: 9 min 54 s for the whole command.
    Result: 93.38 % on test (92.88 to 93.85), one run.
    Measured in benchmarks/time_to_accuracy.md.
    """
    short = replace(
        small_images(base, traits),
        schedule=Schedule("linear"),
        validate_every_epochs=3,
        fine_tuning=FineTuning(freeze="stem" if base.model.initialization.stem == "cosine_pairs" else "none"),
        ema_decay=0.0,  # a short run ends where its rate has fallen; an average would only lag behind
    )
    if base.preprocessing.channels == 1:
        return replace(short, optimizer=Muon(learning_rate=0.05), epochs=7, batch_size=256)
    return replace(
        short,
        augmentation=replace(short.augmentation, pad_px=2),
        optimizer=Muon(learning_rate=0.1),
        epochs=10,
        batch_size=512,
        label_smoothing=0.1,
    )


def thorough(base: Recipe, traits: Traits) -> Recipe:
    """For images up to 64 px, within the hour: many epochs of Muon, shifts, erasing, no averaged weights.

    Command: ``resnetkit train fashion_mnist --recipe thorough --set data.validation_fraction=0.05``.
    Cost: 46 min 3 s for the whole command.
    Result: 95.28 % on test (94.85 to 95.68), one run; on colour images it was not measured.
    Measured in benchmarks/time_to_accuracy.md.
    """
    long = small_images(base, traits)
    return replace(
        long,
        augmentation=replace(long.augmentation, pad_px=max(2, long.augmentation.pad_px), erase_rate=0.5),
        optimizer=Muon(learning_rate=0.015),
        schedule=Schedule("linear"),
        epochs=68,
        batch_size=256,
        validate_every_epochs=3,
        ema_decay=0.0,
    )


def photos(base: Recipe, traits: Traits) -> Recipe:
    """For photographs: random-resized crops and flips, label smoothing, averaged weights.

    Command: ``resnetkit train FOLDER``, of 550 photographs of five kinds of flowers and 200 more for validation.
    Cost: 409 s.
    Result: 68.50 % on validation (61.77 to 74.54, n = 200), one run, which chose its epoch by it; there was no test.
    Measured in benchmarks/foundation.md.
    """
    return replace(
        base,
        augmentation=Augmentation(crop_area=(0.35, 1.0), flip_rate=traits.flip_rate, brightness=0.3, contrast=0.3),
        optimizer=Sgd(learning_rate=0.05, weight_decay=5e-4),
        schedule=Schedule("cosine", warmup_share=0.05),
        epochs=40,
        batch_size=32,
        label_smoothing=0.1,
        ema_decay=0.995,
    )


def cifar_paper(base: Recipe, traits: Traits) -> Recipe:
    """As arXiv:1512.03385, Section 4.2: lr 0.1, divided by 10 at 1/2 and 3/4 of the run, batch 128, decay 1e-4.

    The paper counts steps, 32k and 48k of 64k. 164 epochs are about as many with all 50,000 images of CIFAR-10, and
    fewer where some of them are held out for validation.

    Command: ``resnetkit train cifar10 --model resnet56 --recipe cifar_paper``.
    Cost: not measured as a whole; with ``resnet20`` in place of it, steps pass 1,307 images/s (1,248 to 1,324).
    Result: not measured here.
    Measured in benchmarks/training.md.
    """
    return replace(
        base,
        augmentation=Augmentation(pad_px=4, flip_rate=traits.flip_rate),
        optimizer=Sgd(learning_rate=0.1, nesterov=False, weight_decay=1e-4),
        schedule=Schedule("step", milestones=(0.5, 0.75)),
        epochs=164,
        batch_size=128,
        keep="last",
    )


def tutorial_adam(base: Recipe, traits: Traits) -> Recipe:
    """As the Keras tutorial trains: Adam at 1e-3, batch 32, one epoch, values scaled to [0, 1].

    Seven things differ from the tutorial's script; the first four change the score, and ``tutorial_exact`` undoes them:

    1. averaged weights are scored and kept, because those after the last step of a constant learning rate are a matter
       of luck (``ema_decay=0``: the last ones);
    2. a tenth of the training images is held back for validation: 54,000 of Fashion-MNIST's 60,000 are trained on;
    3. validation is on these and the test images are read once, at the end, where the script validates on test;
    4. convs and matrix products are computed in bfloat16 where the CPU has units for it (``runtime.precision=fp32``);
    5. what is left after the last full batch waits for another epoch: 1,687 steps with 54,000 images, Keras takes
       1,688; with all 60,000 both take 1,875;
    6. Adam's eps is added behind the bias correction, in Keras before it;
    7. running variances are the unbiased ones of torch, Keras' are biased (5e-5 apart after one batch of 4 at 7 × 7).

    Command: ``resnetkit train fashion_mnist --model tutorial_preact --recipe tutorial_adam``.
    Cost: 95 s of training and validation.
    Result: 89.84 % on test (89.23 to 90.42, n = 10,000), one run.
    Measured in benchmarks/foundation.md.
    """
    channels = base.preprocessing.channels
    return replace(
        base,
        preprocessing=replace(base.preprocessing, mean=(0.0,) * channels, std=(1.0,) * channels),
        optimizer=AdamW(learning_rate=1e-3, eps=1e-7, weight_decay=0.0),
        schedule=Schedule("constant"),
        epochs=1,
        batch_size=32,
        ema_decay=0.99,
        keep="last",
    )


def tutorial_exact(base: Recipe, traits: Traits) -> Recipe:
    """As the Keras tutorial's script does, to compare with it: ``tutorial_adam``, last weights, float32, val = test.

    All training images are trained on, and the test images are the validation split (``data.validation=test``, which
    the recipe sets), so the score is none of images kept apart, and the run says so. What
    remains different computes the same numbers up to rounding, but for 5 to 7 of :func:`tutorial_adam`.

    Command: ``resnetkit train fashion_mnist --model tutorial_preact --recipe tutorial_exact``.
    Cost: not measured.
    Result: not measured under this name; :func:`tutorial_adam` with all images and the last weights, 86.81 % on test
    (86.13 to 87.46), one run.
    Measured in benchmarks/foundation.md.
    """
    recipe = tutorial_adam(base, traits)
    return replace(recipe, ema_decay=0.0, runtime=replace(recipe.runtime, precision="fp32"))


def fine_tune(base: Recipe, traits: Traits) -> Recipe:
    """For weights trained on other images: low rates and few epochs; of photographs, the head and then the last stage.

    Each photograph is seen in a few ways, again and again, so that what the frozen stages make of them is computed
    once. Of small images, which cost little, all parts train from the start, the lower ones slower.

    Command: ``resnetkit train DATA --weights FILE``.
    Cost: not measured.
    Result: not measured.
    """
    if base.preprocessing.image_size_px > SMALL_PX:
        last_stage = base.parts[-2]
        tuning = FineTuning(
            freeze=last_stage,
            thaw_every_epochs=HEAD_EPOCHS,
            thaw_to=last_stage,
            restart_at_thaw=True,
            hold_statistics=True,
        )
        return replace(
            _head_on_photos(base),
            augmentation=Augmentation(crop_area=(0.5, 1.0), flip_rate=traits.flip_rate, num_views=6),
            epochs=HEAD_EPOCHS + 6,
            label_smoothing=0.1,
            fine_tuning=tuning,
        )
    return replace(
        base,
        preprocessing=replace(base.preprocessing, average_mirrored=traits.flip_rate > 0),
        augmentation=Augmentation(pad_px=1, flip_rate=traits.flip_rate),
        optimizer=Sgd(learning_rate=0.05, weight_decay=1e-4),  # measured, on narrow networks
        schedule=Schedule("cosine", warmup_share=0.1),
        epochs=15,
        batch_size=32,
        label_smoothing=0.1,
        ema_decay=0.98,
        fine_tuning=FineTuning(layer_decay=0.7),
    )


def fine_tune_few(base: Recipe, traits: Traits) -> Recipe:
    """As ``fine_tune``, for few images: of photographs the head alone trains, of small images the upper half.

    The head reads what the frozen stages make of each photograph as it is in use, neither cropped nor mirrored, and
    trains until it has settled: a logistic regression, held back by weight decay in place of augmentation.

    Command: ``resnetkit train FOLDER --weights resnet50.safetensors --reset-head``, of 550 photographs of five kinds of
    flowers and 200 more for validation.
    Cost: 84 s (84 to 92) for the whole command.
    Result: 90.00 % on validation (90.00 to 91.00), three seeds; of small images it was not measured.
    Measured in benchmarks/fine_tuning.md.
    """
    if base.preprocessing.image_size_px > SMALL_PX:
        return replace(
            _head_on_photos(base),
            augmentation=Augmentation(),
            epochs=HEAD_ALONE_EPOCHS,
            optimizer=Sgd(learning_rate=HEAD_RATE, weight_decay=HEAD_DECAY / traits.num_train),
            fine_tuning=FineTuning(freeze=base.parts[-2]),
        )
    recipe = fine_tune(base, traits)
    lower_half = f"stage{max(1, len(base.model.depths) // 2)}"
    return replace(recipe, epochs=30, batch_size=16, fine_tuning=replace(recipe.fine_tuning, freeze=lower_half))


def _head_on_photos(base: Recipe) -> Recipe:
    """Values of every head on photographs: the last epoch is kept, so that no validation image chooses anything."""
    return replace(
        base,
        optimizer=Sgd(learning_rate=HEAD_RATE, weight_decay=1e-4),
        schedule=Schedule("cosine", warmup_share=0.1),
        batch_size=32,
        ema_decay=0.98,
        keep="last",
    )


RECIPES: dict[str, Callable[[Recipe, Traits], Recipe]] = {
    function.__name__: function
    for function in (
        *(tiny_images, small_images, quick, thorough, photos),
        *(fine_tune, fine_tune_few, cifar_paper, tutorial_adam, tutorial_exact),
    )
}

# What a recipe asks of the data, which are opened before it is made; what the user sets comes after it.
DATA_OF: dict[str, dict[str, Any]] = {"tutorial_exact": {"validation": "test"}}

FINE_TUNING = (fine_tune.__name__, fine_tune_few.__name__)  # that start from weights, and from nothing else

# What a recipe says of itself at the start of a run.
REMARKS: dict[str, str] = {
    "tutorial_adam": "unlike the tutorial's script, averaged weights are scored, a tenth of the training images is "
    "held back, and computing may be in bfloat16; --recipe tutorial_exact trains as the script does",
    "tutorial_exact": "trains as the tutorial's script does, for comparing with it: all training images, the last "
    "weights, float32, validation on the test images",
}

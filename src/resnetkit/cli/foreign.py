"""Names that options have in other tools, and what to say here instead: a table, read where an option is unknown."""

from __future__ import annotations

import re

# One of others' names a word; by command, what does that here. {} is the value that was given, where there is one.
FOREIGN: tuple[tuple[str, dict[str, str]], ...] = (
    ("lr learning-rate lr0", {"train": "--set optimizer.learning_rate={0.1}"}),
    ("batch-size batch bs b", {"train": "--set batch_size={128}"}),
    (
        "image-size img-size imgsz input-size img size crop-size train-crop-size resolution",
        {"train": "--set preprocessing.image_size_px={224} --set preprocessing.resize_px={224}"},
    ),
    (
        "img-size imgsz input-size img size crop-size resolution",
        {"describe": "--image-size {224}", "compare": "--image-size {224}", "benchmark": "--image-size {224}"},
    ),
    ("workers num-workers nthreads j", {"train": "--set data.num_workers={4}"}),
    ("pretrained checkpoint-path init-weights", {"train": "--weights hf://timm/resnet18.a1_in1k --reset-head"}),
    ("data-path data-root dataset root", {"train": "resnetkit train {DATA}"}),
    ("data data-path data-root dataset root", {"evaluate": "resnetkit evaluate RUN {DATA}"}),
    ("source images input", {"predict": "resnetkit predict RUN {IMAGES}"}),
    ("arch a backbone network net model-name", {"train": "--model {resnet18}"}),
    ("num-epochs max-epochs nb-epochs n-epochs", {"train": "--epochs {10}"}),
    ("weight-decay wd", {"train": "--set optimizer.weight_decay={0.0001}"}),
    ("momentum", {"train": "--set optimizer.momentum={0.9}"}),
    ("optimizer opt optim", {"train": "--set optimizer.kind={adamw}"}),
    ("lr-scheduler scheduler sched cos-lr", {"train": "--set schedule.shape={cosine}"}),
    ("warmup warmup-epochs lr-warmup-epochs", {"train": "--set schedule.warmup_share=0.1"}),
    ("label-smoothing smoothing", {"train": "--set label_smoothing={0.1}"}),
    ("mixup mixup-alpha", {"train": "--set augmentation.mixup_alpha={0.2}"}),
    ("cutmix cutmix-alpha", {"train": "--set augmentation.cutmix_alpha={1.0}"}),
    ("patience early-stopping", {"train": "--set early_stopping_epochs={10}"}),
    ("ema model-ema ema-decay", {"train": "--set ema_decay={0.999}"}),
    ("val-split validation-split val-size", {"train": "--set data.validation_fraction={0.1}"}),
    ("test-split test-size", {"train": "--set data.test_fraction={0.2}"}),
    ("clip-grad clip-grad-norm", {"train": "--set max_gradient_norm={1.0}"}),
    ("compile", {"train": "--set runtime.compile=on"}),
    (
        "amp fp16 half bf16 mixed-precision",
        {"train": "--set runtime.precision=bf16", "predict": "--precision bf16", "evaluate": "--precision bf16"},
    ),
    ("threads", {"train": "--set runtime.threads={4}"}),
    ("output output-dir save-dir project logdir outdir", {"train": "--out {runs}"}),
    ("random-seed manual-seed", {"train": "--seed {0}"}),
    ("gpu gpus cuda", {"train": "--device cuda", "predict": "--device cuda", "evaluate": "--device cuda"}),
    ("ckpt checkpoint load resume-from", {"train": "--resume {RUN}"}),
    ("num-classes nc n-classes", {"describe": "--classes {10}"}),
    ("topk top-k k", {"predict": "--top {5}"}),
    ("output-format save-txt", {"predict": "--format csv"}),
)


def ours(name: str, command: str, value: str = "") -> str:
    """Find what does here what others call so, for a command; empty where nothing is known.

    >>> ours("--lr", "train", "0.3"), ours("imgsz", "describe")
    ('--set optimizer.learning_rate=0.3', '--image-size 224')
    """
    for names, by_command in FOREIGN:
        if name.lstrip("-").replace("_", "-") in names.split() and command in by_command:
            return re.sub(r"\{(.*?)\}", lambda usual: value or usual[1], by_command[command])
    return ""

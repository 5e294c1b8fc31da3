"""What the ONNX graph calls its input and output; for those who write it and those who run it."""

INPUT = "pixels"
OUTPUT = "logits"

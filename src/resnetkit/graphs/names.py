"""Names of the ONNX graph's input and output, for those who write it and those who run it."""

INPUT = "pixels"
OUTPUT = "logits"

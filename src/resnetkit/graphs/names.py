"""Names of the inputs and outputs of graphs, for those who write them and those who run them."""

INPUT = "pixels"
OUTPUT = "logits"
IMAGE = "image"  # of graphs that prepare images too
PROBABILITIES = "probabilities"  # of graphs that decide too

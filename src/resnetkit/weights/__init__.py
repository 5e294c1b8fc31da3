"""Weight files of every origin into networks, and networks into weight files."""

from resnetkit.weights.files import read_weights
from resnetkit.weights.loading import load_weights
from resnetkit.weights.naming import Native, to_native
from resnetkit.weights.saving import save_weights
from resnetkit.weights.weight_file import WeightFile

__all__ = ["Native", "WeightFile", "load_weights", "read_weights", "save_weights", "to_native"]

"""Weight files of every origin into networks, and networks into weight files."""

from resnetkit.models.weights.files import WeightFile, read_weights
from resnetkit.models.weights.loading import load_weights
from resnetkit.models.weights.naming import Native, to_native
from resnetkit.models.weights.saving import save_weights

__all__ = ["Native", "WeightFile", "load_weights", "read_weights", "save_weights", "to_native"]

"""Pictures of compared images, read from where a run found its data, as far as they are there still."""

from __future__ import annotations

from collections.abc import Mapping

from resnetkit.data.loading import open_data
from resnetkit.errors import ResnetkitError, require
from resnetkit.images.prepared_pixels import prepare_seen
from resnetkit.images.types import UnreadableImage
from resnetkit.pages.raster import UInt8Pixels
from resnetkit.sources.locate import locate
from resnetkit.sources.own_data import find_data


def read_pictures(run: str, digests: Mapping[str, int]) -> tuple[dict[str, UInt8Pixels], str]:
    """Pixels ``(C, H, W)`` of images of a run's data by their identifiers, and why some are missing.

    An image whose pixels are no longer those that were answered is left out.

    Args:
        run: a run folder.
        digests: of the images, by their identifiers.
    """
    try:
        located = locate(run)
        require(located.run is not None, f"{run} is no run, so its images are not known")
        assert located.run is not None
        preprocessing = located.run.read_record().recipe.preprocessing
        spec, _ = find_data(located, None, located.run.read_record().recipe.data.limits)
        source = open_data(spec)
    except (ResnetkitError, OSError) as error:
        return {}, error.what if isinstance(error, ResnetkitError) else str(error)
    found: dict[str, UInt8Pixels] = {}
    for listing in source.listings.values():
        places = {identifier: row for row, identifier in enumerate(listing.identifiers) if identifier in digests}
        if not places:
            continue
        originals = listing.prepared(prepare_seen, preprocessing)
        for identifier, row in places.items():
            try:
                image = originals.examine(row)
            except UnreadableImage:
                continue
            if image.digest == digests[identifier]:
                found[identifier] = image.pixels
    missing = len(digests) - len(found)
    return found, f"{missing:,} of the images shown are no longer as they were in {source.name}" if missing else ""

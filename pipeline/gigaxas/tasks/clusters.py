"""The sums of spectra that one tile gives the clusters."""

from gigaxas.locations import Location
from gigaxas.spatial.cluster_sums import Sums, merge_sums, sum_spectra
from gigaxas.stores import cube
from gigaxas.stores.cube import CubeInfo
from gigaxas.stores.deferred import read_deferred
from gigaxas.stores.result import read_map
from gigaxas.tiles import Plane, Tile, parts_of


def sum_tile(tile: Tile, *, info: CubeInfo, result: Location, step: Plane, sites: int) -> Sums:
    """Sum the spectra of one tile over its kept labels.

    What the assignment has summed and deferred of its tiles (of `step` pixels) is used; where it left
    nothing, the cube is read again.
    """
    kept = read_map(result, "kept", tile.region)
    sums = []
    for part in parts_of(tile, step):
        labels = kept[part.within(tile)]
        deferred = read_deferred(result, part)
        if deferred is None:
            sums.append(sum_spectra(cube.read_tile(info, part), labels, info.invalid))
        else:
            found = labels.ravel()[deferred.pixels]
            sums += [deferred.sums, sum_spectra(deferred.samples, found, info.invalid)]
    return merge_sums(sums, sites)

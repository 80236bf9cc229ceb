"""Every format of images: what is read from it without a word in the configuration."""

import numpy as np
import pytest
from gigaxas.config.schema import Ingest
from gigaxas.errors import InputError
from gigaxas.raw.readers.files import FileSet
from gigaxas.raw.readers.images import open_stack, read_stack
from gigaxas.raw.readers.stack import describe_stack
from image_files import ENERGY, IMAGES, IMAGES_ALONE, PIXEL_UM, SILENT, TELLING

WINDOW = (slice(1, 5), slice(0, 4))


@pytest.mark.parametrize("name", TELLING)
def test_a_file_that_tells_its_axes_needs_nothing_else(tmp_path, name):
    ending, write = TELLING[name]
    write(tmp_path / ending)
    found = describe_stack(Ingest(stack=f"{tmp_path}/{ending}"))
    np.testing.assert_allclose(found.energy, ENERGY, atol=2e-3)
    assert found.unit == "eV"
    assert found.pixel_um == pytest.approx(PIXEL_UM if name != "older NeXus" else 0.46)
    np.testing.assert_allclose(read_stack(found.stack, WINDOW), IMAGES[:, *WINDOW])
    np.testing.assert_allclose(read_stack(found.stack, WINDOW, slice(1, 3)), IMAGES[1:3, *WINDOW])


@pytest.mark.parametrize("name", SILENT)
def test_a_file_that_tells_no_energies_needs_these(tmp_path, name):
    ending, write = SILENT[name]
    write(tmp_path / ending)
    with pytest.raises(InputError, match="missing; give a list"):
        describe_stack(Ingest(stack=f"{tmp_path}/{ending}"))
    found = describe_stack(Ingest(stack=f"{tmp_path}/{ending}", energies=tuple(ENERGY)))
    assert found.pixel_um == pytest.approx(PIXEL_UM if name == "OME-TIFF" else 0.46)
    np.testing.assert_allclose(read_stack(found.stack, WINDOW), IMAGES[:, *WINDOW])


@pytest.mark.parametrize("name", IMAGES_ALONE)
def test_an_image_alone_is_read(tmp_path, name):
    ending, write = IMAGES_ALONE[name]
    write(tmp_path / ending)
    stack = open_stack(ending, FileSet((tmp_path / ending,)))
    height, width = stack.plane
    found = read_stack(stack, (slice(0, height), slice(0, width)))[0]
    wanted = [[1, 1, 0, 0], [1, 0, 0, 0]] if name == "mask of letters" else IMAGES[0]
    np.testing.assert_array_equal(found, wanted)

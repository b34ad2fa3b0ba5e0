import pytest

from napari_brainseg.annotation.brush import brush_voxels, describe_brush


@pytest.mark.parametrize(("size", "width"), [(1, 1), (2, 3), (3, 3), (9, 9), (10, 11)])
def test_a_brush_is_an_odd_number_of_voxels_wide(size, width):
    assert brush_voxels(size, (1.0, 1.0)) == (width, width)


def test_a_brush_is_narrower_in_voxels_along_coarser_axes():
    assert brush_voxels(9, (3.0, 1.0, 1.0)) == (3, 9, 9)


@pytest.mark.parametrize(
    ("size", "spacing", "painted", "text"),
    [
        (11, (1.0, 1.0, 1.0), (1, 2), "11.0 mm"),
        (11, (5.0, 0.5, 0.5), (1, 2), "5.5 mm"),
        (11, (2.0, 1.0, 1.0), (0, 2), "11.0 mm"),
        (11, None, (1, 2), "11 voxels"),
        (9, (1.0, 1.0, 1.0), (0, 1, 2), "3-D, 9.0 mm, 9 slices"),
        (9, (3.0, 1.0, 1.0), (1, 0, 2), "3-D, 9.0 mm, 3 slices"),
        (9, None, (0, 1, 2), "3-D, 9 voxels, 9 slices"),
    ],
)
def test_the_brush_in_words(size, spacing, painted, text):
    assert describe_brush(size, spacing, painted) == text

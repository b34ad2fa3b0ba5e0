import pytest

from napari_brainseg.base.errors import Cancelled
from napari_brainseg.base.progress import CancelToken


def test_a_part_is_cancelled_with_the_whole_but_not_the_other_way_round() -> None:
    whole = CancelToken()
    part, other = CancelToken(whole), CancelToken(whole)
    part.cancel()
    assert (part.cancelled, whole.cancelled, other.cancelled) == (True, False, False)
    whole.cancel()
    with pytest.raises(Cancelled):
        other.raise_if_cancelled()

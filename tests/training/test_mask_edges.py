import torch

from napari_brainseg.training.mask_edges import draw_mask_edges


def test_the_inner_border_of_each_class_gets_the_highest_value() -> None:
    images = torch.zeros(1, 2, 7, 7)
    images[0, 0, 0, 0], images[0, 1, 0, 0] = 3.0, 5.0
    labels = torch.zeros(1, 7, 7, dtype=torch.uint8)
    labels[0, 1:6, 1:6] = 1
    drawn = draw_mask_edges(images, labels)
    ring = torch.zeros(7, 7, dtype=torch.bool)
    ring[1:6, 1:6] = True
    ring[2:5, 2:5] = False
    assert torch.equal(drawn[0, 0] == 3, ring | (images[0, 0] == 3))
    assert torch.equal(drawn[0, 1] == 5, ring | (images[0, 1] == 5))
    assert drawn[0, 0, 3, 3] == 0


def test_images_without_labels_stay_as_they_are() -> None:
    images = torch.randn(2, 3, 4, 5, 6)
    assert torch.equal(draw_mask_edges(images, torch.zeros(2, 4, 5, 6, dtype=torch.uint8)), images)


def test_classes_that_touch_have_an_edge_between_them() -> None:
    labels = torch.ones(1, 3, 8, dtype=torch.uint8)
    labels[0, :, 4:] = 2
    drawn = draw_mask_edges(torch.tensor([0.0, 1.0]).repeat(3, 4)[None, None], labels)
    assert drawn[0, 0, 1, 2:6].tolist() == [0.0, 1.0, 1.0, 1.0]

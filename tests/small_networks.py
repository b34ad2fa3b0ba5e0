"""Every network of the registry, small: options by name and axes, for the tests that hold for all of them."""

from __future__ import annotations

from typing import Any

_TOKENS = {"img_size": 32, "hidden_size": 16, "mlp_dim": 32, "num_heads": 2}
_SWIN = {"width": 12, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2], "window_size": 4}

# (name, spatial_dims) -> (options, parameters with 2 channels and 3 classes)
SMALL: dict[tuple[str, int], tuple[dict[str, Any], int]] = {
    ("unext", 2): ({"widths": [4, 8, 10, 15, 20]}, 13_493),
    ("unet", 2): ({"base_width": 4}, 121_699),
    ("attention_unet", 2): ({"base_width": 4}, 125_790),
    ("res_unet", 2): ({"base_width": 4}, 32_999),
    ("res_unet_plusplus", 2): ({"base_width": 16}, 4_062_867),
    ("unet_3plus", 2): ({"base_width": 4, "deep_supervision": True}, 110_463),
    ("efficientnet_unet", 2): ({"widths": [8, 8, 8, 8]}, 2_978_172),
    ("vit", 2): ({**_TOKENS, "num_layers": 2, "decoder_width": 16}, 17_411),
    ("vit", 3): ({**_TOKENS, "num_layers": 2, "decoder_width": 16}, 149_571),
    ("monai_unet", 2): ({"width": 4}, 102_300),
    ("monai_unet", 3): ({"width": 4, "levels": 3}, 18_838),
    ("monai_attention_unet", 2): ({"width": 8}, 498_191),
    ("monai_attention_unet", 3): ({"width": 4, "levels": 3}, 22_609),
    ("monai_segresnet", 2): ({"width": 8}, 395_067),
    ("monai_segresnet", 3): ({"width": 8, "blocks_down": [1, 1, 1], "blocks_up": [1, 1]}, 108_571),
    ("monai_dynunet", 2): ({"filters": [4, 8, 8, 8, 8], "deep_supervision": True, "deep_supr_num": 2}, 11_373),
    ("monai_dynunet", 3): ({"filters": [8, 8, 8], "strides": [1, [1, 2, 2], 2]}, 20_395),
    ("monai_unetr", 2): ({**_TOKENS, "feature_size": 4}, 90_863),
    ("monai_unetr", 3): ({**_TOKENS, "feature_size": 4}, 311_359),
    ("monai_swin_unetr", 2): (_SWIN, 1_426_173),
    ("monai_swin_unetr", 3): (_SWIN, 3_733_617),
    ("ensemble", 2): ({"of": "unext", "options": {"widths": [4, 8, 10, 15, 20]}, "members": 2}, 2 * 13_493),
    ("ensemble", 3): ({"of": "monai_unet", "options": {"width": 4, "levels": 3}, "members": 2}, 2 * 18_838),
}

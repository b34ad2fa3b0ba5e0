"""Architectures, by name: `NETWORKS` is the whole list, `create_network` builds one."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_brainseg.base.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

# name -> (module, class); a new network is a file, a line here and a test.
NETWORKS = {
    "unext": ("napari_brainseg.networks.unext", "UNeXt"),
    "unet": ("napari_brainseg.networks.unet", "UNet"),
    "attention_unet": ("napari_brainseg.networks.attention_unet", "AttentionUNet"),
    "res_unet": ("napari_brainseg.networks.res_unet", "ResUNet"),
    "res_unet_plusplus": ("napari_brainseg.networks.res_unet_plusplus", "ResUNetPlusPlus"),
    "unet_3plus": ("napari_brainseg.networks.unet_3plus", "UNet3Plus"),
    "efficientnet_unet": ("napari_brainseg.networks.efficientnet_unet", "EfficientNetUNet"),
    "vit": ("napari_brainseg.networks.vit", "VisionTransformer"),
    "monai_unet": ("napari_brainseg.networks.monai_unet", "create"),
    "monai_attention_unet": ("napari_brainseg.networks.monai_attention_unet", "create"),
    "monai_segresnet": ("napari_brainseg.networks.monai_segresnet", "create"),
    "monai_dynunet": ("napari_brainseg.networks.monai_dynunet", "create"),
    "monai_unetr": ("napari_brainseg.networks.monai_unetr", "create"),
    "monai_swin_unetr": ("napari_brainseg.networks.monai_swin_unetr", "create"),
    "ensemble": ("napari_brainseg.networks.ensemble", "create"),
}


def create_network(
    name: str, *, in_channels: int, out_channels: int, spatial_dims: int = 2, **options: Any
) -> nn.Module:
    """Build an untrained network: (N, in_channels, *spatial) to logits (N, out_channels, *spatial).

    Args:
        name: A key of `NETWORKS`.
        in_channels: Image channels.
        out_channels: Classes or regions.
        spatial_dims: 2 or 3.
        **options: The network's own options, such as `widths` for `unext`.

    Raises:
        ModelError: No network has that name, or it does not take these channels, axes or options.
    """
    if name not in NETWORKS:
        near = get_close_matches(name, NETWORKS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ModelError(f"There is no network {name!r}.{hint} There are {', '.join(NETWORKS)}.")
    if in_channels < 1 or out_channels < 1 or spatial_dims not in (2, 3):
        raise ModelError(
            f"A network needs channels and classes from 1 on and 2 or 3 axes, not {in_channels}, {out_channels} and "
            f"{spatial_dims}."
        )
    module, attribute = NETWORKS[name]
    factory = getattr(import_module(module), attribute)
    try:
        network: nn.Module = factory(
            in_channels=in_channels, out_channels=out_channels, spatial_dims=spatial_dims, **options
        )
    except (TypeError, ValueError, RuntimeError, IndexError, ZeroDivisionError) as error:
        raise ModelError(f"The network {name!r} does not take these options: {_said(error)}.") from error
    return network


def _said(error: Exception) -> str:
    """Return the first line of what a constructor says, without its name and its last stop."""
    text = str(error).partition("\n")[0]
    return (text.partition("() ")[2] or text).rstrip(".")

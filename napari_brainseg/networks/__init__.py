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
    "monai_segresnet": ("napari_brainseg.networks.monai_segresnet", "create"),
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
        ModelError: No network has that name, or it does not take these options.
    """
    if name not in NETWORKS:
        near = get_close_matches(name, NETWORKS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ModelError(f"There is no network {name!r}.{hint} There are {', '.join(NETWORKS)}.")
    module, attribute = NETWORKS[name]
    factory = getattr(import_module(module), attribute)
    try:
        network: nn.Module = factory(
            in_channels=in_channels, out_channels=out_channels, spatial_dims=spatial_dims, **options
        )
    except TypeError as error:
        raise ModelError(f"The network {name!r} does not take these options: {error}.") from error
    return network

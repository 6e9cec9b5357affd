"""The network of this folder for timm, with the 3×3 stem for small images.

import {module}  # from this folder
import timm
model = timm.create_model("local-dir:FOLDER", pretrained=True)
"""

import timm
import torch
from timm.models import build_model_with_cfg, register_model


def _build(**arguments):
    model = timm.create_model("{architecture}", pretrained=False, **arguments)
    first = model.get_submodule("{convolution}")
    stem = torch.nn.Conv2d(first.in_channels, first.out_channels, 3, padding=1, bias=False)
    model.set_submodule("{convolution}", stem)
    model.set_submodule("{pooling}", torch.nn.Identity())
    return model


@register_model
def {name}(pretrained=False, **arguments):
    return build_model_with_cfg(_build, "{name}", pretrained, **arguments)

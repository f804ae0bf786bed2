"""A node group's template with the image itself in place of where to look it up.

Why it exists: CloudFormation looks an SSM-typed parameter up at every update of a stack, so that an unrelated change would give all groups a
new image. The rendered files keep that parameter, since nobody pins it for them; ``up`` pins it, and writes beside it where the image
came from.
"""

from __future__ import annotations

from dataclasses import replace

from lowtide.aws.templates.cfn import Stack
from lowtide.aws.templates.launch import IMAGE

#: The template parameter that says where the image came from.
IMAGE_SOURCE = "ImageSource"


def has_image(stack: Stack) -> bool:
    """Return whether a stack's template takes an image."""
    return IMAGE in stack.template.get("Parameters", {})


def pinned(stack: Stack, *, image_id: str, source: str) -> Stack:
    """Return a stack whose template takes this image; ``source`` is the parameter or search that gave it."""
    parameters = {
        **stack.template["Parameters"],
        IMAGE: {"Type": "AWS::EC2::Image::Id", "Description": "The image of the nodes"},
        IMAGE_SOURCE: {
            "Type": "String",
            "Description": "Where lowtide looked the image up; it stays until `lowtide up --refresh-amis`",
        },
    }
    return replace(
        stack,
        template={**stack.template, "Parameters": parameters},
        parameters={**stack.parameters, IMAGE: image_id, IMAGE_SOURCE: source},
    )

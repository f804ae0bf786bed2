"""EC2 where moto is wrong or silent: phases and refusals of instances, spot prices, images, what is in use.

Why it exists: everything else of EC2 (networks, volumes, tags) is moto's, which keeps it well.
"""

from __future__ import annotations

from lowtide.local.aws.ec2 import (
    images,
    instances,
    kinds,
    network,
    placement,
    requirements,
    spot,
    stopping,
    templates,
)
from lowtide.local.aws.ec2.dry_run import AnsweringDryRun
from lowtide.local.aws.ec2.state import Ec2State
from lowtide.local.aws.service import Service

SERVICE = Service(
    name="ec2",
    operations=AnsweringDryRun(
        {
            "CreateLaunchTemplate": templates.create,
            "CreateLaunchTemplateVersion": templates.create_version,
            "CreatePlacementGroup": placement.create,
            "CreateVpcEndpoint": network.create_vpc_endpoint,
            "DeleteNatGateway": network.delete_nat_gateway,
            "DeletePlacementGroup": placement.delete,
            "DeleteSecurityGroup": network.delete_security_group,
            "DeleteSubnet": network.delete_subnet,
            "DeleteVpc": network.delete_vpc,
            "DescribeAvailabilityZones": network.describe_zones,
            "DescribeImages": images.describe,
            "DescribeInstanceStatus": instances.status,
            "DescribeInstanceTypeOfferings": kinds.offerings,
            "DescribeInstanceTypes": kinds.describe,
            "DescribeInstances": instances.describe,
            "DescribeLaunchTemplateVersions": templates.describe_versions,
            "DescribePlacementGroups": placement.describe,
            "DescribeTags": placement.describe_tags,
            "DescribeSpotPriceHistory": spot.history,
            "GetInstanceTypesFromInstanceRequirements": requirements.types_for,
            "GetSpotPlacementScores": spot.scores,
            "StartInstances": stopping.start,
            "StopInstances": stopping.stop,
            "RunInstances": instances.run,
            "TerminateInstances": instances.terminate,
        }
    ),
    timers={
        "gone": instances.on_gone,
        "stopped": stopping.on_stopped,
        "running": instances.on_running,
        "terminated": instances.on_terminated,
    },
    state=Ec2State,
)

"""Things of every kind that a cluster can leave behind, made as its controllers or its stacks would have made them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from lowtide.aws.live.account import Account
from lowtide.aws.live.stacks import StackRequest, Stacks
from lowtide.model import names

REGION = "us-east-1"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["ec2.amazonaws.com", "eks.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}

Tags = list[dict[str, str]]
_DEFAULT = {"Name": "default-for-az", "Values": ["true"]}


def tags(mapping: dict[str, str]) -> Tags:
    """Return tags as AWS's list."""
    return [{"Key": key, "Value": value} for key, value in mapping.items()]


def client(service: str) -> Any:
    """Return a client of the box."""
    return Account(REGION).client(service)


def said(resource_type: str, wanted: Tags) -> dict[str, Any]:
    """Return the tags of an EC2 call; AWS takes no empty list of them."""
    if not wanted:
        return {}
    return {"TagSpecifications": [{"ResourceType": resource_type, "Tags": wanted}]}


def stack(name: str, cluster: str, template: dict[str, Any]) -> str:
    """Create a stack, of a cluster of lowtide's where one is named, and wait until it is whole."""
    owner = {names.CLUSTER_TAG: cluster} if cluster else {}
    stacks = Stacks(Account(REGION))
    made = stacks.create(StackRequest(name=name, body=json.dumps(template), tags=owner))
    settle(made)
    return made


def settle(made: str) -> None:
    """Wait until CloudFormation is not at work on a stack any more."""
    stacks = Stacks(Account(REGION))
    while (found := stacks.look(made)) is not None and found.status.endswith("_IN_PROGRESS"):
        time.sleep(0.05)


def network(of_kubernetes: Tags, of_stack: Tags | None = None) -> tuple[str, str, str]:
    """Make a VPC with a subnet and a security group, and return their ids; ``of_stack`` are tags of the first two."""
    ec2 = client("ec2")
    outer = of_kubernetes if of_stack is None else of_stack
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16", **said("vpc", outer))["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(
        VpcId=vpc,
        CidrBlock="10.9.0.0/24",
        AvailabilityZone=f"{REGION}a",
        **said("subnet", outer),
    )["Subnet"]["SubnetId"]
    group = ec2.create_security_group(
        GroupName="k8s-elb-a", Description="d", VpcId=vpc, **said("security-group", of_kubernetes)
    )["GroupId"]
    return vpc, subnet, group


def volume(wanted: Tags, gib: int = 100) -> str:
    """Make a volume and return its id."""
    made = client("ec2").create_volume(
        AvailabilityZone=f"{REGION}a", Size=gib, VolumeType="gp3", **said("volume", wanted)
    )
    return str(made["VolumeId"])


def everything(cluster: str) -> None:
    """Make one thing of every kind that can be left."""
    ours = tags({names.CLUSTER_TAG: cluster})
    theirs = tags({f"kubernetes.io/cluster/{cluster}": "owned"})
    _in_ec2(cluster, ours, theirs)
    _by_name(cluster, ours)
    _identities(cluster, ours)


def _in_ec2(cluster: str, ours: Tags, theirs: Tags) -> None:
    ec2 = client("ec2")
    vpc, subnet, group = network(theirs, ours)
    nodes = ec2.create_security_group(
        GroupName="nodes", Description="d", VpcId=vpc, **said("security-group", ours)
    )["GroupId"]
    for one, source in ((nodes, group), (group, nodes)):
        pair = [{"GroupId": source}]
        ec2.authorize_security_group_ingress(
            GroupId=one, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": pair}]
        )
    volume(theirs)
    disk = volume(ours, 1)
    ec2.create_snapshot(VolumeId=disk, **said("snapshot", ours))
    cni = tags({"cluster.k8s.amazonaws.com/name": cluster})
    ec2.create_network_interface(SubnetId=subnet, Groups=[group], **said("network-interface", cni))
    address = ec2.allocate_address(Domain="vpc", **said("elastic-ip", ours))["AllocationId"]
    ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, **said("natgateway", ours))
    data = {"InstanceType": "m5.large", "ImageId": "ami-0123456789abcdef0"}
    template = ec2.create_launch_template(
        LaunchTemplateName="t", LaunchTemplateData=data, **said("launch-template", ours)
    )["LaunchTemplate"]["LaunchTemplateId"]
    client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="g",
        MinSize=0,
        MaxSize=0,
        VPCZoneIdentifier=subnet,
        LaunchTemplate={"LaunchTemplateId": template},
        Tags=[{**one, "PropagateAtLaunch": False} for one in theirs],
    )
    ec2.run_instances(
        ImageId=data["ImageId"],
        InstanceType="m5.large",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet,
        **said("instance", theirs),
    )
    gateway = ec2.create_internet_gateway(**said("internet-gateway", ours))["InternetGateway"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc, **said("route-table", ours))["RouteTable"]
    ec2.associate_route_table(RouteTableId=table["RouteTableId"], SubnetId=subnet)
    ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{REGION}.s3",
        VpcEndpointType="Gateway",
        RouteTableIds=[table["RouteTableId"]],
        **said("vpc-endpoint", ours),
    )
    ec2.create_key_pair(KeyName="k", **said("key-pair", ours))
    ec2.create_placement_group(GroupName="p", Strategy="cluster", **said("placement-group", ours))
    balancers = tags({"elbv2.k8s.aws/cluster": cluster})
    client("elbv2").create_load_balancer(
        Name="nlb", Subnets=[subnet], Type="network", Tags=balancers
    )
    client("elbv2").create_target_group(
        Name="targets", Protocol="TCP", Port=80, VpcId=vpc, Tags=balancers
    )
    listener = {"Protocol": "tcp", "LoadBalancerPort": 80, "InstancePort": 80}
    client("elb").create_load_balancer(
        LoadBalancerName="classic",
        Listeners=[listener],
        Subnets=[subnet],
        SecurityGroups=[group],
        Tags=theirs,
    )


def _by_name(cluster: str, ours: Tags) -> None:
    client("logs").create_log_group(logGroupName=f"/aws/eks/{cluster}/cluster")
    queue = client("sqs").create_queue(
        QueueName=f"lowtide-{cluster}-interruption", tags={names.CLUSTER_TAG: cluster}
    )["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    rule = f"lowtide-{cluster}-interruption-Rule"
    pattern = json.dumps({"source": ["aws.ec2"]})
    client("events").put_rule(Name=rule, EventPattern=pattern, Tags=ours)
    target = {"Id": "q", "Arn": arn["Attributes"]["QueueArn"]}
    client("events").put_targets(Rule=rule, Targets=[target])
    client("ssm").put_parameter(Name=f"/lowtide/{cluster}/cluster-ca", Value="v", Type="String")


def _identities(cluster: str, ours: Tags) -> None:
    iam = client("iam")
    role, profile = f"lowtide-{cluster}-cluster-NodeRole", f"lowtide-{cluster}-cluster-Profile"
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST), Tags=ours)
    allow = {"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [allow]}
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(policy))
    managed = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
    iam.attach_role_policy(RoleName=role, PolicyArn=managed)
    iam.create_instance_profile(InstanceProfileName=profile)
    iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=role)
    iam.create_open_id_connect_provider(
        Url=f"https://oidc.eks.{REGION}.amazonaws.com/id/ABC",
        ClientIDList=["sts.amazonaws.com"],
        Tags=ours,
    )


#: The kinds that ``everything`` makes.
MADE = frozenset(
    {
        "Auto Scaling group", "instance", "load balancer", "classic load balancer", "target group", "NAT gateway", "elastic IP",
        "VPC endpoint", "network interface", "security group", "launch template", "placement group", "key pair", "subnet", "route table",
        "internet gateway", "VPC", "event rule", "queue", "parameter", "log group", "instance profile", "role", "OIDC provider",
        "volume", "snapshot",
    }
)  # fmt: skip


def eks_cluster(
    name: str, wanted: dict[str, str], region: str = REGION, *, network: str = ""
) -> None:
    """Create an EKS cluster outside of any stack, in a VPC that has subnets already, or in the default one."""
    account = Account(region)
    role = account.client("iam").create_role(
        RoleName=f"r-{region}-{name}", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    within = {"Name": "vpc-id", "Values": [network]} if network else _DEFAULT
    subnets = account.client("ec2").describe_subnets(Filters=[within])["Subnets"]
    account.client("eks").create_cluster(
        name=name,
        roleArn=role["Role"]["Arn"],
        resourcesVpcConfig={"subnetIds": [one["SubnetId"] for one in subnets[:2]]},
        tags=wanted,
    )


def node_group(cluster: str, wanted: dict[str, str]) -> None:
    """Wait until an EKS cluster is there, and create a managed node group in it, without a node."""
    eks = client("eks")
    while (found := eks.describe_cluster(name=cluster)["cluster"])["status"] == "CREATING":
        time.sleep(0.05)
    role = client("iam").create_role(
        RoleName=f"n-{cluster}", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    eks.create_nodegroup(
        clusterName=cluster,
        nodegroupName="gpu",
        nodeRole=role["Role"]["Arn"],
        subnets=found["resourcesVpcConfig"]["subnetIds"],
        instanceTypes=["g4dn.xlarge"],
        amiType="AL2023_x86_64_NVIDIA",
        scalingConfig={"minSize": 0, "maxSize": 1, "desiredSize": 0},
        tags=wanted,
    )
    while (
        eks.describe_nodegroup(clusterName=cluster, nodegroupName="gpu")["nodegroup"]["status"]
        == "CREATING"
    ):
        time.sleep(0.05)


def kinds(found: Iterable[dict[str, Any]]) -> set[str]:
    """Return the kinds in a document's list."""
    return {one["kind"] for one in found}

"""Every resource type that can be made is made, changed in place, and deleted, in the service that holds it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lowtide.local.aws import faults
from lowtide.local.aws.cloudformation.resources.table import KINDS
from lowtide.local.aws.errors import AwsError
from tests.local.cloudformation.stacks_box import Aws, template

IAM = ["CAPABILITY_NAMED_IAM"]


def trust(service: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def policy(action: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}],
    }


def ref(name: str, attribute: str = "") -> dict[str, Any]:
    return {"Fn::GetAtt": f"{name}.{attribute}"} if attribute else {"Ref": name}


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


NETWORK: dict[str, Any] = {
    "Vpc": resource("EC2::VPC", CidrBlock="10.0.0.0/16", EnableDnsHostnames=True),
    "Block": resource("EC2::VPCCidrBlock", VpcId=ref("Vpc"), CidrBlock="10.1.0.0/16"),
    "A": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1a"),
    "B": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1b"),
    "Gateway": resource("EC2::InternetGateway"),
    "Attachment": resource("EC2::VPCGatewayAttachment", VpcId=ref("Vpc"), InternetGatewayId=ref("Gateway")),
    "Table": resource("EC2::RouteTable", VpcId=ref("Vpc")),
    "Route": {**resource("EC2::Route", RouteTableId=ref("Table"), DestinationCidrBlock="0.0.0.0/0", GatewayId=ref("Gateway")), "DependsOn": "Attachment"},
    "Tie": resource("EC2::SubnetRouteTableAssociation", RouteTableId=ref("Table"), SubnetId=ref("A")),
    "Address": {**resource("EC2::EIP", Domain="vpc"), "DependsOn": "Attachment"},
    "Nat": resource("EC2::NatGateway", SubnetId=ref("A"), AllocationId=ref("Address", "AllocationId")),
    "Endpoint": resource("EC2::VPCEndpoint", VpcId=ref("Vpc"), ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[ref("Table")]),
    "Group": resource("EC2::SecurityGroup", GroupDescription="g", VpcId=ref("Vpc"), SecurityGroupIngress=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "10.0.0.0/8"}]),
    "In": resource("EC2::SecurityGroupIngress", GroupId=ref("Group"), IpProtocol="-1", SourceSecurityGroupId=ref("Group")),
    "Out": resource("EC2::SecurityGroupEgress", GroupId=ref("Group"), IpProtocol="tcp", FromPort=443, ToPort=443, CidrIp="10.0.0.0/8"),
    "Key": resource("EC2::KeyPair", KeyName="key"),
    "Placement": resource("EC2::PlacementGroup", Strategy="cluster"),
}  # fmt: skip
NODES: dict[str, Any] = {
    "Role": resource("IAM::Role", AssumeRolePolicyDocument=trust("ec2"), Policies=[{"PolicyName": "own", "PolicyDocument": policy("s3:Get*")}], ManagedPolicyArns=["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"]),
    "Profile": resource("IAM::InstanceProfile", Roles=[ref("Role")]),
    "Managed": resource("IAM::ManagedPolicy", PolicyDocument=policy("ec2:Describe*"), Roles=[ref("Role")]),
    "Template": resource("EC2::LaunchTemplate", LaunchTemplateData={"InstanceType": "m5.large", "ImageId": "ami-12c6146b"}),
    "Asg": resource("AutoScaling::AutoScalingGroup", MinSize="0", MaxSize="3", VPCZoneIdentifier=[ref("A"), ref("B")], LaunchTemplate={"LaunchTemplateId": ref("Template"), "Version": ref("Template", "LatestVersionNumber")}, Tags=[{"Key": "k", "Value": "v", "PropagateAtLaunch": True}]),
}  # fmt: skip
KEPT: dict[str, Any] = {
    "Parameter": resource("SSM::Parameter", Type="String", Value="1", Name="p"),
    "Logs": resource("Logs::LogGroup", LogGroupName="logs", RetentionInDays=7),
    "Secret": resource("KMS::Key", Description="k", KeyPolicy=policy("kms:*")),
    "Alias": resource("KMS::Alias", AliasName="alias/a", TargetKeyId=ref("Secret")),
    "Queue": resource("SQS::Queue", QueueName="q", MessageRetentionPeriod=300),
    "QueuePolicy": resource("SQS::QueuePolicy", Queues=[ref("Queue")], PolicyDocument=policy("sqs:SendMessage")),
    "Rule": resource("Events::Rule", Name="rule", EventPattern={"source": ["aws.ec2"]}, Targets=[{"Id": "q", "Arn": ref("Queue", "Arn")}]),
    "Handle": resource("CloudFormation::WaitConditionHandle"),
}  # fmt: skip
CLUSTER: dict[str, Any] = {
    "ClusterRole": resource("IAM::Role", AssumeRolePolicyDocument=trust("eks")),
    "PodRole": resource("IAM::Role", AssumeRolePolicyDocument=trust("pods.eks")),
    "Cluster": resource("EKS::Cluster", Name="tide", RoleArn=ref("ClusterRole", "Arn"), ResourcesVpcConfig={"SubnetIds": [ref("A"), ref("B")]}, AccessConfig={"AuthenticationMode": "API"}, Version="1.35"),
    "Oidc": resource("IAM::OIDCProvider", Url=ref("Cluster", "OpenIdConnectIssuerUrl"), ClientIdList=["sts.amazonaws.com"]),
    "Addon": resource("EKS::Addon", ClusterName=ref("Cluster"), AddonName="kube-proxy"),
    "Entry": resource("EKS::AccessEntry", ClusterName=ref("Cluster"), PrincipalArn=ref("Role", "Arn"), Type="EC2_LINUX"),
    "Identity": resource("EKS::PodIdentityAssociation", ClusterName=ref("Cluster"), Namespace="default", ServiceAccount="a", RoleArn=ref("PodRole", "Arn")),
    "Nodegroup": resource("EKS::Nodegroup", ClusterName=ref("Cluster"), NodegroupName="ng", NodeRole=ref("Role", "Arn"), Subnets=[ref("A")], ScalingConfig={"MinSize": 0, "MaxSize": 2, "DesiredSize": 0}, Labels={"a": "1"}),
}  # fmt: skip
EVERYTHING = {**NETWORK, **NODES, **KEPT, **CLUSTER}


def changed() -> dict[str, Any]:
    """Return everything with one property of each type changed, where a change is possible in place."""
    other: dict[str, Any] = json.loads(json.dumps(EVERYTHING))

    def put(name: str, **properties: Any) -> None:
        other[name]["Properties"].update(properties)

    put("Vpc", EnableDnsHostnames=False)
    put("A", MapPublicIpOnLaunch=True)
    put(
        "Group",
        SecurityGroupIngress=[
            {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "10.0.0.0/8"}
        ],
    )
    put(
        "Role",
        Policies=[{"PolicyName": "new", "PolicyDocument": policy("s3:List*")}],
        Description="d",
        ManagedPolicyArns=[],
    )
    put("Managed", PolicyDocument=policy("ec2:*"))
    put("Template", LaunchTemplateData={"InstanceType": "m5.xlarge", "ImageId": "ami-12c6146b"})
    put("Asg", MaxSize="5", Tags=[{"Key": "k", "Value": "w", "PropagateAtLaunch": False}])
    put("Parameter", Value="2")
    put("Logs", RetentionInDays=14)
    put("Secret", EnableKeyRotation=True)
    put("Queue", MessageRetentionPeriod=600)
    put(
        "Rule",
        EventPattern={"source": ["aws.autoscaling"]},
        Targets=[{"Id": "r", "Arn": ref("Queue", "Arn")}],
    )
    put("Cluster", Version="1.36", Logging={"ClusterLogging": {"EnabledTypes": [{"Type": "api"}]}})
    put("Entry", Tags=[{"Key": "k", "Value": "v"}])
    put("Identity", Tags=[{"Key": "k", "Value": "v"}])
    put(
        "Nodegroup", ScalingConfig={"MinSize": 0, "MaxSize": 4, "DesiredSize": 0}, Labels={"b": "2"}
    )
    return other


def test_every_type_of_the_table_is_tried() -> None:
    assert {one["Type"] for one in EVERYTHING.values()} == KINDS.keys()


def test_everything_is_made_changed_in_place_and_deleted(aws: Aws) -> None:
    assert aws.create("all", template(EVERYTHING), Capabilities=IAM) == "CREATE_COMPLETE", failures(
        aws
    )
    ids = {name: aws.resource("all", name)["PhysicalResourceId"] for name in EVERYTHING}
    assert aws.update("all", template(changed()), Capabilities=IAM) == "UPDATE_COMPLETE", failures(
        aws
    )
    assert {name: aws.resource("all", name)["PhysicalResourceId"] for name in EVERYTHING} == ids
    _check_changes(aws, ids)
    assert aws.delete("all") == "DELETE_COMPLETE", failures(aws)
    _check_gone(aws, ids)


def failures(aws: Aws) -> list[Any]:
    stack = aws("ListStacks")["StackSummaries"][0]["StackId"]
    return [one for one in aws.events(stack) if one[1].endswith("FAILED")]


def _check_changes(aws: Aws, ids: dict[str, str]) -> None:
    groups = aws("DescribeSecurityGroups", service="ec2", GroupIds=[ids["Group"]])["SecurityGroups"]
    assert {one.get("FromPort") for one in groups[0]["IpPermissions"]} == {80, None}
    assert {one.get("FromPort") for one in groups[0]["IpPermissionsEgress"]} >= {443}
    assert aws("ListRolePolicies", service="iam", RoleName=ids["Role"])["PolicyNames"] == ["new"]
    group = aws(
        "DescribeAutoScalingGroups", service="autoscaling", AutoScalingGroupNames=[ids["Asg"]]
    )["AutoScalingGroups"][0]
    assert group["MaxSize"] == 5
    assert group["LaunchTemplate"]["Version"] == "2"
    tags = {one["Key"]: (one["Value"], one["PropagateAtLaunch"]) for one in group["Tags"]}
    assert tags["k"] == ("w", False)
    assert aws("GetParameter", service="ssm", Name="p")["Parameter"]["Value"] == "2"
    assert aws("DescribeLogGroups", service="logs")["logGroups"][0]["retentionInDays"] == 14
    assert (
        aws("GetKeyRotationStatus", service="kms", KeyId=ids["Secret"])["KeyRotationEnabled"]
        is True
    )
    attributes = aws(
        "GetQueueAttributes", service="sqs", QueueUrl=ids["Queue"], AttributeNames=["All"]
    )["Attributes"]
    assert attributes["MessageRetentionPeriod"] == "600"
    targets = aws("ListTargetsByRule", service="events", Rule="rule")["Targets"]
    assert [one["Id"] for one in targets] == ["r"]
    cluster = aws("DescribeCluster", service="eks", name="tide")["cluster"]
    assert (cluster["version"], cluster["status"]) == ("1.36", "ACTIVE")
    nodegroup = aws("DescribeNodegroup", service="eks", clusterName="tide", nodegroupName="ng")[
        "nodegroup"
    ]
    assert (nodegroup["scalingConfig"]["maxSize"], nodegroup["labels"]) == (4, {"b": "2"})


def _check_gone(aws: Aws, ids: dict[str, str]) -> None:
    assert ids["Vpc"] not in [one["VpcId"] for one in aws("DescribeVpcs", service="ec2")["Vpcs"]]
    assert aws("DescribeAddresses", service="ec2")["Addresses"] == []
    assert aws("DescribeKeyPairs", service="ec2")["KeyPairs"] == []
    assert aws("DescribePlacementGroups", service="ec2")["PlacementGroups"] == []
    assert aws("DescribeLaunchTemplates", service="ec2")["LaunchTemplates"] == []
    assert aws("DescribeAutoScalingGroups", service="autoscaling")["AutoScalingGroups"] == []
    roles = aws("ListRoles", service="iam")["Roles"]
    assert [
        one["RoleName"] for one in roles if not one["Path"].startswith("/aws-service-role/")
    ] == []
    assert aws("ListInstanceProfiles", service="iam")["InstanceProfiles"] == []
    assert aws("ListOpenIDConnectProviders", service="iam")["OpenIDConnectProviderList"] == []
    assert aws("ListPolicies", service="iam", Scope="Local")["Policies"] == []
    assert aws("ListClusters", service="eks")["clusters"] == []
    assert aws("ListQueues", service="sqs").get("QueueUrls", []) == []
    assert aws("ListRules", service="events")["Rules"] == []
    assert aws("DescribeLogGroups", service="logs")["logGroups"] == []
    assert aws("DescribeParameters", service="ssm")["Parameters"] == []
    assert (
        aws("DescribeKey", service="kms", KeyId=ids["Secret"])["KeyMetadata"]["KeyState"]
        == "PendingDeletion"
    )


def group(maximum: str, *, keeps: bool, kind: str = "m5.large") -> dict[str, Any]:
    asg = resource("AutoScaling::AutoScalingGroup", AutoScalingGroupName="g", MinSize="0", MaxSize=maximum, DesiredCapacity="1", AvailabilityZones=["us-east-1a"], LaunchTemplate={"LaunchTemplateId": ref("Template"), "Version": ref("Template", "LatestVersionNumber")})  # fmt: skip
    if keeps:
        asg["UpdatePolicy"] = {
            "AutoScalingScheduledAction": {"IgnoreUnmodifiedGroupSizeProperties": True}
        }
    data = {"InstanceType": kind, "ImageId": "ami-12c6146b"}
    return template(
        {"Template": resource("EC2::LaunchTemplate", LaunchTemplateData=data), "Asg": asg}
    )


@pytest.mark.parametrize(("keeps", "desired"), [(True, 2), (False, 1)])
def test_an_update_leaves_the_groups_size_alone_only_where_its_policy_says_so(
    aws: Aws, keeps: bool, desired: int
) -> None:
    aws.create("s", group("3", keeps=keeps))
    aws("SetDesiredCapacity", service="autoscaling", AutoScalingGroupName="g", DesiredCapacity=2)
    assert aws.update("s", group("4", keeps=keeps)) == "UPDATE_COMPLETE"
    found = aws("DescribeAutoScalingGroups", service="autoscaling")["AutoScalingGroups"][0]
    assert (found["MaxSize"], found["DesiredCapacity"]) == (4, desired)


def test_a_new_group_is_waited_for_and_its_failed_launch_is_told(aws: Aws) -> None:
    faults.add(aws.box, {"kind": "capacity", "instance_type": "*"})
    assert aws.create("s", group("3", keeps=True)) == "ROLLBACK_COMPLETE"
    reason = next(one for _, status, one in aws.events("s") if status == "CREATE_FAILED")
    assert (
        "Group did not stabilize. {current/minSize/desiredCapacity} group size = {0/0/1}." in reason
    )
    assert "HandlerErrorCode: NotStabilized" in reason
    faults.remove(aws.box)
    assert aws.delete("s") == "DELETE_COMPLETE"
    assert aws.create("s", group("3", keeps=True)) == "CREATE_COMPLETE"
    faults.add(aws.box, {"kind": "capacity", "instance_type": "*"})
    aws("SetDesiredCapacity", service="autoscaling", AutoScalingGroupName="g", DesiredCapacity=2)
    assert aws.update("s", group("4", keeps=True)) == "UPDATE_COMPLETE"


def test_update_and_creation_policies_that_the_box_does_not_keep_are_refused(aws: Aws) -> None:
    body = group("3", keeps=False)
    body["Resources"]["Asg"]["UpdatePolicy"] = {
        "AutoScalingRollingUpdate": {"MinInstancesInService": 1}
    }
    with pytest.raises(
        AwsError, match="does not serve AutoScalingRollingUpdate, which Asg asks for"
    ):
        aws("CreateStack", StackName="s", TemplateBody=json.dumps(body))

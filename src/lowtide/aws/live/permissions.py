"""What the caller may do, as IAM's policy simulator says.

Why it exists: a permission that is missing shows up in the middle of a creation otherwise. The simulator knows the policies of users and
roles, permissions boundaries and an organization's control policies (IAM API reference, "SimulatePrincipalPolicy").
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from lowtide.aws.live.account import Account, Identity
from lowtide.aws.live.session import ask
from lowtide.model.account import Denial
from lowtide.model.errors import AwsError

_ACTIONS_A_CALL = 100


def principal_of(account: Account, identity: Identity) -> str:
    """Return whose policies decide: the user, or the role behind a session; empty for the root, who may do everything.

    Raises:
        AwsError: the role may not be looked up, or the caller is none that can be simulated.
    """
    if identity.role_name is not None:
        # Only the role itself tells its path, which is a part of its ARN.
        answer = ask(account.client("iam").get_role, RoleName=identity.role_name)
        return str(answer["Role"]["Arn"])
    if ":user/" in identity.arn:
        return identity.arn
    if identity.arn.endswith(":root"):
        return ""
    raise AwsError(
        "The caller's policies cannot be simulated",
        where="iam:SimulatePrincipalPolicy",
        why=f"{identity.arn} is neither a user nor a role",
    )


def denials(
    account: Account,
    principal: str,
    actions: Sequence[str],
    resources: Mapping[str, Sequence[str]],
) -> tuple[Denial, ...]:
    """Return the actions that are not allowed.

    Args:
        account: where to ask.
        principal: the ARN of a user or role.
        actions: as IAM writes them.
        resources: ARNs by the service's prefix in actions. An action that no policy allows on everything counts as allowed where it is
            on these: a policy may name lowtide's own resources alone.

    Raises:
        AwsError: the caller may not simulate, or AWS cannot be reached.
    """
    denied = {one.action: one for one in _simulated(account, principal, actions, ())}
    narrow = sorted(name for name, one in denied.items() if not one.explicit)
    for service, some in itertools.groupby(narrow, key=lambda one: one.partition(":")[0]):
        if resources.get(service):
            asked = tuple(some)
            still = {
                one.action for one in _simulated(account, principal, asked, resources[service])
            }
            for name in asked:
                if name not in still:
                    del denied[name]
    return tuple(denied[name] for name in sorted(denied))


def _simulated(
    account: Account, principal: str, actions: Sequence[str], resources: Sequence[str]
) -> tuple[Denial, ...]:
    """Return the actions that are allowed on none of the resources; without resources that is ``*``."""
    iam = account.client("iam")
    more = {"ResourceArns": list(resources)} if resources else {}
    decisions: dict[str, set[str]] = {}
    for start in range(0, len(actions), _ACTIONS_A_CALL):
        params = {
            "PolicySourceArn": principal,
            "ActionNames": list(actions[start : start + _ACTIONS_A_CALL]),
        }
        marker: dict[str, str] = {}
        while True:  # IAM says IsTruncated and Marker where others say NextToken
            page = ask(iam.simulate_principal_policy, **params, **more, **marker)
            for one in page["EvaluationResults"]:
                decisions.setdefault(one["EvalActionName"], set()).add(one["EvalDecision"])
            if not page.get("IsTruncated"):
                break
            marker = {"Marker": page["Marker"]}
    return tuple(
        Denial(action=action, explicit="explicitDeny" in said)
        for action, said in sorted(decisions.items())
        if "allowed" not in said
    )

"""CloudFormation templates, pure, and boto3 in one module; opened by its own issue.

Why it exists: it is named now so that its floor is fixed.

What it must not know: Kubernetes, the twin, and the command line.
"""

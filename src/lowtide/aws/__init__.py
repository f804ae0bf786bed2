"""What lowtide asks of AWS: CloudFormation templates, as pure values.

Why it exists: one room knows the shapes of AWS resources, so that the rest speaks of node groups, networks and roles. Clients of
AWS will live in a module of their own beside the templates.

What it must not know: Kubernetes, the twin, and the command line.
"""

"""CloudFormation of our own: templates, resources and the published schemas they are held against.

Why it exists: moto's CloudFormation ignores types that it does not know, has no events and no rollback. Its stacks are not here yet, so no
service of this name is served: a template can be read and checked, and nothing is created.
"""

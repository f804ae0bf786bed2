"""The AWS API as it answers now: the only place of the product's own commands that holds boto3.

What it must not know: what the answers mean to the engine, or which endpoint stands behind it.
"""

"""Instance types, prices and AMI paths, each figure with source and date.

Why it exists: a wrong default here costs money, so an unknown type is an error and never a guess.

What it must not know: the user's files, and the network.
"""

"""Reads the user's files into values, with line and column for everything.

Why it exists: files are written by people; each mistake is named with its place and its fix, all at once.

What it must not know: prices, instance types, and decisions.
"""

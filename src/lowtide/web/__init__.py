"""The live dashboard's room; it opens when the dashboard is built.

Why it exists: it is named now so that its floor is fixed.

What it must not know: AWS, Kubernetes, and how any decision is made.
"""

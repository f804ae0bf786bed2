"""The vocabulary: frozen values, quantities, money, errors, ports and the run record.

Why it exists: every other room speaks in these words, so that a decision made by the engine, a
group resolved from a file and a row in a report are the same value everywhere.

What it must not know: any other room, any file format, any cloud or Kubernetes client, the clock.
"""

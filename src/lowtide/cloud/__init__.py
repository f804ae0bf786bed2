"""AWS decides: Auto Scaling, EC2 and spot as pure functions of state, event and time.

Why it exists: one implementation serves the twin in virtual time and the embedded AWS in real time.

What it must not know: the clock, I/O, and every room but model.
"""

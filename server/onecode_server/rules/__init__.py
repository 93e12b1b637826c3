"""The rules: pure functions without await, I/O or clock. ``now`` is an argument, in Unix microseconds like all times.

To add a rule, write a pure function here and add its reason to ``model.verdict.Reason`` and ``recognition.proto``. If
it decides a verdict, add a row to ``admission.TABLE`` before the rows over which it takes precedence.
"""

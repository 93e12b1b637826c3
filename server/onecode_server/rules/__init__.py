"""Pure decisions. No await, no I/O, no clock: ``now`` is an argument, in Unix microseconds, as all times are.

To add a rule: a pure function here, its reason in ``model.verdict.Reason`` and ``recognition.proto``, and, where it
decides a verdict, a row of ``admission.TABLE`` at the place where it must match first.
"""

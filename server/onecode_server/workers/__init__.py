"""Several processes behind one port: the supervisor that was started, and the workers that it keeps alive.

``supervisor`` and the modules that it imports (``slot``, ``reservation``, ``observed``) do not import ``composition``
and serve no call; only ``worker``, which runs in a process of its own, imports ``app``.
"""

"""Several processes behind one port: the supervisor that was started, and the workers that it keeps alive.

``supervisor`` and what it stands on (``slot``, ``reservation``, ``observed``) hold no engine and serve no call; only
``worker``, which runs in a process of its own, knows ``app``.
"""

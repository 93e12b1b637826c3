"""The formats of codes: each in a package of its own, registered in ``codec``. No asyncio, no clock, no I/O."""

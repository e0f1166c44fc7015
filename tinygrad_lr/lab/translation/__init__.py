"""From Python to JavaScript: rules and loops of kernels, the host's scalars, schedules. Next: syntax.py."""

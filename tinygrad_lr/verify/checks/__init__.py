"""The public checks, one file for each: optimizers.py, schedules.py, schedulers.py, clipping.py, gradients.py."""

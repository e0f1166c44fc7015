"""What correct arithmetic may give: enclosure.py for a formula, storage.py for short states, schedules.py for rates."""

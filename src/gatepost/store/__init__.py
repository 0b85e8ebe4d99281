"""Everything that outlives a process: configuration objects, mail, scripts. `interface.py` is what the other rooms see."""

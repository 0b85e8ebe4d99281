"""One conversation with one client: an engine (pure), reactions (what the world answers), deadlines.

`conversation.py` drives any engine over any transport; one reactions file per protocol knows the store.
"""

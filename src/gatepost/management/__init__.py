"""The management API: JMAP over HTTP as an ASGI application. The web UI and the command line have no other way in."""

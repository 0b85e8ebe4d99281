"""The registry: what can be configured. Typed objects, one file per object type, each property declared once.

Validation, patches, the schema document, the form of the web UI and the columns of the command line come from the
declarations. Pure: nothing here reads a clock, a file, a socket or the store; the caller hands in what is needed.
"""

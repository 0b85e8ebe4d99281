"""The measurements: what gatepost costs, as a ratio to a peer that is measured in the same run (`python -m bench`), and what
bad clients do to good ones (`python -m bench.soak`).

Nothing here is installed with the package. The clients and the floors are C (`c/`, compiled at run time), so that what is
measured is the server; the peers come from Debian's packages and PyPI, with their configuration in `peers/`.
"""

"""What is written in `docs/reference/` and `docs/man/` out of the program itself: `python -m manual`, or `make manual`.

Every property stands once, in its declaration, and every option once, at its command; these pages are made of them, and a
test fails when they have not been made again. Not installed with the package.
"""

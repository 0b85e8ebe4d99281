"""What must hold between objects, checked on a proposal before it is carried out. One rule per file; all are pure."""

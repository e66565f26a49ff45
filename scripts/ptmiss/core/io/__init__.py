"""Reading and writing files: the only place of the package that touches a disk."""

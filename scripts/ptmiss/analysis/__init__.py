"""What an analysis needs: corrections and networks on arrays, with the core packages alone."""

"""What is made from candidates."""

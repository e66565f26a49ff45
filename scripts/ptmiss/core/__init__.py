"""What knows no physics."""

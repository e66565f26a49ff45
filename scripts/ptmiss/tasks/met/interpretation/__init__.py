"""What a network has learnt: weights of candidates, importance of features, single events."""

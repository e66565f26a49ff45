"""Which figures each kind of table gives, and what they say."""

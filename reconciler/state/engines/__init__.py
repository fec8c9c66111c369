"""Where the bytes of a state are: drivers that know nothing of what the bytes mean."""

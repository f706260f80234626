"""What pages for people are made of, in the panel and for visitors."""

"""What is the same for every request and answer, whatever the resource."""

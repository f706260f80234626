"""What the pages of the panel share: rendering, forms, cookies, and history in words."""

"""The local sink: a small notification service, to see what is sent."""

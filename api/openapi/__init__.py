"""The OpenAPI document, and the pages to read it on."""

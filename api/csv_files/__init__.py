"""CSV files (RFC 4180) that people open in spreadsheets."""
